// Causal attention of rotated and filtered queries and keys, forward and backward, for one head of
// one sequence at a time, so that everything between q, k, v and o stays in the first-level cache.
//
// The arithmetic is that of momentum.py, rope.py and attention.py. Built by native/build.py.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace {

constexpr int LANES = 16;
typedef float Vec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t IVec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

int padded(int n) { return (n + LANES - 1) / LANES * LANES; }

// Cephes' expf: range reduction by ln 2 in two parts, a polynomial of degree 5.
inline Vec exp_of(Vec x) {
  const Vec low = Vec{} - 87.0f;
  const IVec drop = x < low;  // false for what is not a number, which so stays one
  x = drop ? low : x;
  const Vec shifted = x * 1.44269504088896341f + 12582912.0f;  // rounds to an integer
  const Vec n = shifted - 12582912.0f;
  x = x - n * 0.693359375f;
  x = x + n * 2.12194440e-4f;
  Vec y = Vec{} + 1.9875691500e-4f;
  y = y * x + 1.3981999507e-3f;
  y = y * x + 8.3334519073e-3f;
  y = y * x + 4.1665795894e-2f;
  y = y * x + 1.6666665459e-1f;
  y = y * x + 5.0000001201e-1f;
  y = y * x * x + x + 1.0f;
  const IVec power = (__builtin_convertvector(n, IVec) + 127) << 23;
  const Vec scale = reinterpret_cast<const Vec&>(power);
  const Vec zero = Vec{};
  return drop ? zero : y * scale;
}

// C (rows, 16 NV) = A (rows, depth) B (depth, 16 NV); A's element (m, k) stands at m am + k ak.
template <int NV, int R>
inline void tile(const float* a, int am, int ak, const float* b, int bs, float* c, int cs, int depth) {
  Vec sum[R][NV] = {};
  for (int k = 0; k < depth; ++k) {
    Vec row[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) row[j] = *reinterpret_cast<const Vec*>(b + k * bs + j * LANES);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const float x = a[r * am + k * ak];
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) sum[r][j] += x * row[j];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) *reinterpret_cast<Vec*>(c + r * cs + j * LANES) = sum[r][j];
}

template <int NV>
void columns(const float* a, int am, int ak, const float* b, int bs, float* c, int cs, int rows,
             int depth) {
  constexpr int R = NV == 1 ? 8 : 6;
  int m = 0;
  for (; m + R <= rows; m += R) tile<NV, R>(a + m * am, am, ak, b, bs, c + m * cs, cs, depth);
  for (; m + 3 <= rows; m += 3) tile<NV, 3>(a + m * am, am, ak, b, bs, c + m * cs, cs, depth);
  for (; m < rows; ++m) tile<NV, 1>(a + m * am, am, ak, b, bs, c + m * cs, cs, depth);
}

void product(const float* a, int am, int ak, const float* b, int bs, float* c, int cs, int rows,
             int width, int depth) {
  int n = 0;
  for (; n + 4 * LANES <= width; n += 4 * LANES)
    columns<4>(a, am, ak, b + n, bs, c + n, cs, rows, depth);
  for (; n + 2 * LANES <= width; n += 2 * LANES)
    columns<2>(a, am, ak, b + n, bs, c + n, cs, rows, depth);
  if (n < width) columns<1>(a, am, ak, b + n, bs, c + n, cs, rows, depth);
}

struct Shape {
  int length, heads, dim, kernel;
  int row() const { return heads * dim; }
  int wide() const { return padded(dim); }
  int tall() const { return padded(length); }
};

// out (T, wide) = filter(rotate(z)); z's rows stand row() apart. c holds the taps.
void position(const Shape& s, const float* z, const float* cos, const float* sin, const float* c,
              float scale, float* turned, float* out) {
  const int half = s.dim / 2, wide = s.wide();
  for (int t = 0; t < s.length; ++t) {
    const float* x = z + t * s.row();
    float* y = turned + t * wide;
    for (int i = s.dim; i < wide; ++i) y[i] = 0;  // position_back may have left another run's NaN
    if (cos == nullptr) {
      for (int i = 0; i < s.dim; ++i) y[i] = x[i];
    } else {
      const float *co = cos + t * half, *si = sin + t * half;
      for (int i = 0; i < half; ++i) {
        y[i] = x[i] * co[i] - x[i + half] * si[i];
        y[i + half] = x[i + half] * co[i] + x[i] * si[i];
      }
    }
  }
  for (int t = 0; t < s.length; ++t) {
    float* y = out + t * wide;
    for (int i = 0; i < wide; ++i) y[i] = c[0] * turned[t * wide + i];
    for (int k = 1; k < s.kernel; ++k) {
      const float* past = turned + (t > k ? t - k : 0) * wide;
      for (int i = 0; i < wide; ++i) y[i] += c[k] * past[i];
    }
    for (int i = 0; i < wide; ++i) y[i] *= scale;
  }
}

// The transpose of position: from the gradient of its output to that of z.
void position_back(const Shape& s, const float* grad, const float* cos, const float* sin,
                   const float* c, float scale, float* turned, float* out) {
  const int half = s.dim / 2, wide = s.wide();
  for (int t = 0; t < s.length; ++t)
    for (int i = 0; i < wide; ++i) turned[t * wide + i] = c[0] * grad[t * wide + i];
  for (int k = 1; k < s.kernel; ++k)
    for (int t = 0; t < s.length; ++t) {
      float* past = turned + (t > k ? t - k : 0) * wide;
      for (int i = 0; i < wide; ++i) past[i] += c[k] * grad[t * wide + i];
    }
  for (int t = 0; t < s.length; ++t) {
    const float* y = turned + t * wide;
    float* x = out + t * s.row();
    if (cos == nullptr) {
      for (int i = 0; i < s.dim; ++i) x[i] = scale * y[i];
    } else {
      const float *co = cos + t * half, *si = sin + t * half;
      for (int i = 0; i < half; ++i) {
        x[i] = scale * (y[i] * co[i] + y[i + half] * si[i]);
        x[i + half] = scale * (y[i + half] * co[i] - y[i] * si[i]);
      }
    }
  }
}

void load(const Shape& s, const float* z, float* out) {
  for (int t = 0; t < s.length; ++t)
    std::memcpy(out + t * s.wide(), z + t * s.row(), sizeof(float) * s.dim);
}

inline Vec& at(float* x) { return *reinterpret_cast<Vec*>(x); }
inline const Vec& at(const float* x) { return *reinterpret_cast<const Vec*>(x); }

// One step of the butterfly that transposes 16 x 16: swaps off-diagonal blocks of size STEP.
template <int STEP>
inline void exchange(Vec* r) {
  IVec low, high;
  for (int j = 0; j < LANES; ++j) {
    low[j] = j & STEP ? j - STEP + LANES : j;
    high[j] = j & STEP ? j + LANES : j + STEP;
  }
#pragma GCC unroll 16
  for (int i = 0; i < LANES; ++i)
    if (!(i & STEP)) {
      const Vec a = r[i], b = r[i | STEP];
      r[i] = __builtin_shuffle(a, b, low);
      r[i | STEP] = __builtin_shuffle(a, b, high);
    }
}

// (tall, wide) to (wide, tall).
void transpose(const Shape& s, const float* z, float* out) {
  const int wide = s.wide(), tall = s.tall();
  for (int t = 0; t < tall; t += LANES)
    for (int i = 0; i < wide; i += LANES) {
      Vec r[LANES];
#pragma GCC unroll 16
      for (int j = 0; j < LANES; ++j) r[j] = at(z + (t + j) * wide + i);
      exchange<1>(r);
      exchange<2>(r);
      exchange<4>(r);
      exchange<8>(r);
#pragma GCC unroll 16
      for (int j = 0; j < LANES; ++j) at(out + (i + j) * tall + t) = r[j];
    }
}

inline Vec lanes_from(int n) {
  Vec out;
  for (int j = 0; j < LANES; ++j) out[j] = float(n + j);
  return out;
}

// Scores (T keys, tall queries) to probabilities, for each query over its past, in place; what
// lies ahead of a query becomes 0. Queries lie along the lanes, so that nothing is summed across.
void softmax(const Shape& s, float* score) {
  const int tall = s.tall();
  const float never = -std::numeric_limits<float>::infinity();
  for (int n = 0; n < tall; n += LANES) {
    const Vec query = lanes_from(n);
    Vec top = Vec{} + never, sum = {};
    for (int k = 0; k < s.length; ++k) {
      Vec& v = at(score + k * tall + n);
      v = query < float(k) ? Vec{} + never : v;
      top = v > top ? v : top;
    }
    for (int k = 0; k < s.length; ++k) {
      Vec& v = at(score + k * tall + n);
      v = exp_of(v - top);
      sum += v;
    }
    const Vec inverse = 1.0f / sum;
    for (int k = 0; k < s.length; ++k) at(score + k * tall + n) *= inverse;
  }
}

// From gradients of probabilities to gradients of scores, in place; both (T keys, tall queries).
void softmax_back(const Shape& s, const float* prob, float* grad) {
  const int tall = s.tall();
  for (int n = 0; n < tall; n += LANES) {
    Vec dot = {};
    for (int k = 0; k < s.length; ++k) dot += at(prob + k * tall + n) * at(grad + k * tall + n);
    for (int k = 0; k < s.length; ++k) {
      Vec& g = at(grad + k * tall + n);
      g = (g - dot) * at(prob + k * tall + n);
    }
  }
}

struct Scratch {
  std::vector<float> memory;
  float* next;
  Scratch(const Shape& s, int rows, int squares) {
    const size_t plane = size_t(padded(s.length)) * s.wide(), square = size_t(s.tall()) * s.tall();
    memory.assign(rows * plane + squares * square + LANES, 0.0f);
    next = memory.data();
  }
  float* take(size_t n) {
    float* out = next;
    next += n;
    return out;
  }
};

}  // namespace

extern "C" {

// q, k, v, o (runs, batch, T, H, D); taps (runs, streams, H, K); cos, sin (T, D/2) or null.
void attention_forward(const float* q, const float* k, const float* v, const float* taps,
                       const float* cos, const float* sin, float* o, int64_t runs, int64_t batch,
                       int64_t streams, int64_t length, int64_t heads, int64_t dim,
                       int64_t kernel) {
  const Shape s{int(length), int(heads), int(dim), int(kernel)};
  const int wide = s.wide(), tall = s.tall(), plane = tall * wide;
  Scratch scratch(s, 6, 1);
  float *turned = scratch.take(plane), *qf = scratch.take(plane), *kf = scratch.take(plane);
  float *qt = scratch.take(plane), *vf = scratch.take(plane), *of = scratch.take(plane);
  float* p = scratch.take(tall * tall);
  const float scale = 1.0f / std::sqrt(float(dim));
  for (int64_t w = 0; w < runs; ++w)
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t base = (w * batch + b) * length * s.row() + h * dim;
        const float* cq = taps + ((w * streams + 0) * heads + h) * kernel;
        const float* ck = taps + ((w * streams + 1) * heads + h) * kernel;
        position(s, q + base, cos, sin, cq, scale, turned, qf);
        position(s, k + base, cos, sin, ck, 1.0f, turned, kf);
        transpose(s, qf, qt);
        load(s, v + base, vf);
        product(kf, wide, 1, qt, tall, p, tall, s.length, tall, wide);
        softmax(s, p);
        product(p, 1, tall, vf, wide, of, wide, s.length, wide, s.length);
        for (int t = 0; t < s.length; ++t)
          std::memcpy(o + base + t * s.row(), of + t * wide, sizeof(float) * dim);
      }
}

// go is the gradient of o; gq, gk, gv those of q, k, v.
void attention_backward(const float* go, const float* q, const float* k, const float* v,
                        const float* taps, const float* cos, const float* sin, float* gq,
                        float* gk, float* gv, int64_t runs, int64_t batch, int64_t streams,
                        int64_t length, int64_t heads, int64_t dim, int64_t kernel) {
  const Shape s{int(length), int(heads), int(dim), int(kernel)};
  const int wide = s.wide(), tall = s.tall(), plane = tall * wide;
  Scratch scratch(s, 9, 2);
  float *turned = scratch.take(plane), *qf = scratch.take(plane), *kf = scratch.take(plane);
  float *qt = scratch.take(plane), *vf = scratch.take(plane), *gt = scratch.take(plane);
  float *gof = scratch.take(plane), *g = scratch.take(plane);
  float *p = scratch.take(tall * tall), *gs = scratch.take(tall * tall);
  const float scale = 1.0f / std::sqrt(float(dim));
  for (int64_t w = 0; w < runs; ++w)
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t base = (w * batch + b) * length * s.row() + h * dim;
        const float* cq = taps + ((w * streams + 0) * heads + h) * kernel;
        const float* ck = taps + ((w * streams + 1) * heads + h) * kernel;
        position(s, q + base, cos, sin, cq, scale, turned, qf);
        position(s, k + base, cos, sin, ck, 1.0f, turned, kf);
        transpose(s, qf, qt);
        load(s, v + base, vf);
        load(s, go + base, gof);
        transpose(s, gof, gt);
        product(kf, wide, 1, qt, tall, p, tall, s.length, tall, wide);
        softmax(s, p);
        product(p, tall, 1, gof, wide, g, wide, s.length, wide, s.length);
        for (int t = 0; t < s.length; ++t)
          std::memcpy(gv + base + t * s.row(), g + t * wide, sizeof(float) * dim);
        product(vf, wide, 1, gt, tall, gs, tall, s.length, tall, wide);
        softmax_back(s, p, gs);
        product(gs, 1, tall, kf, wide, g, wide, s.length, wide, s.length);
        position_back(s, g, cos, sin, cq, scale, turned, gq + base);
        product(gs, tall, 1, qf, wide, g, wide, s.length, wide, s.length);
        position_back(s, g, cos, sin, ck, 1.0f, turned, gk + base);
      }
}
}
