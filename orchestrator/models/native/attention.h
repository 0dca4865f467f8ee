// Causal attention of rotated and filtered queries and keys, forward and backward, for one head of
// one sequence. The arithmetic is that of momentum.py, rope.py and attention.py.
#pragma once

#include "product.h"

// One head of one sequence: T rows of `dim` numbers, `stride` apart.
struct Head {
  int length, dim, kernel;
  const float *cos, *sin;  // (T, dim / 2), or null: not rotated
  int tall() const { return padded(length); }
};

// f(i, n) for i = 0, 16, ... below `size`: n = 16 numbers at once, then one by one.
template <class F>
inline void across(int size, F f) {
  int i = 0;
  for (; i + LANES <= size; i += LANES) f(i, Vec{});
  for (; i < size; ++i) f(i, 0.0f);
}

template <class V>
inline V& in(float* x) { return *reinterpret_cast<V*>(x); }
template <class V>
inline const V& in(const float* x) { return *reinterpret_cast<const V*>(x); }

// One row rotated; or, with -1 for `way`, rotated back.
inline void rotate(const Head& s, const float* x, int t, float way, float* y) {
  if (s.cos == nullptr) {
    std::memcpy(y, x, sizeof(float) * s.dim);
    return;
  }
  const int half = s.dim / 2;
  const float *co = s.cos + t * half, *si = s.sin + t * half;
  across(half, [&](int i, auto kind) {
    typedef decltype(kind) V;
    const V a = in<V>(x + i), b = in<V>(x + i + half), c = in<V>(co + i), d = in<V>(si + i) * way;
    in<V>(y + i) = a * c - b * d;
    in<V>(y + i + half) = b * c + a * d;
  });
}

// z = filter(rotate(z)) scale, in place. c holds the taps; none: no filter.
inline void position(const Head& s, float* z, int stride, const float* c, float scale,
                     float* turned) {
  const int dim = s.dim;
  const float first = (s.kernel ? c[0] : 1.0f) * scale, second = s.kernel > 1 ? c[1] * scale : 0;
  for (int t = 0; t < s.length; ++t) {
    float *y = z + t * stride, *now = turned + t * dim;
    const float* past = now - (t ? dim : 0);
    rotate(s, y, t, 1.0f, now);
    if (s.kernel > 1)
      across(dim, [&](int i, auto kind) {
        typedef decltype(kind) V;
        in<V>(y + i) = first * in<V>(now + i) + second * in<V>(past + i);
      });
    else
      across(dim, [&](int i, auto kind) { in<decltype(kind)>(y + i) = first * in<decltype(kind)>(now + i); });
    for (int k = 2; k < s.kernel; ++k) {
      const float *older = turned + (t > k ? t - k : 0) * dim, weight = c[k] * scale;
      for (int i = 0; i < dim; ++i) y[i] += weight * older[i];
    }
  }
}

// The transpose of position: from the gradient of its output to that of its input, in place.
inline void position_back(const Head& s, float* grad, int stride, const float* c, float scale,
                          float* turned) {
  const int dim = s.dim;
  const float first = (s.kernel ? c[0] : 1.0f) * scale, second = s.kernel > 1 ? c[1] * scale : 0;
  for (int t = 0; t < s.length; ++t) {
    const float *now = grad + t * stride, *later = now + stride;
    float* y = turned + t * dim;
    if (s.kernel > 1 && t + 1 < s.length)
      across(dim, [&](int i, auto kind) {
        typedef decltype(kind) V;
        in<V>(y + i) = first * in<V>(now + i) + second * in<V>(later + i);
      });
    else
      across(dim, [&](int i, auto kind) { in<decltype(kind)>(y + i) = first * in<decltype(kind)>(now + i); });
  }
  for (int k = 1; k < s.kernel; ++k)
    for (int t = 0; t < (k == 1 ? 1 : s.length); ++t) {  // of lag 1 only t = 0, its own past, is left
      const float *now = grad + t * stride, weight = c[k] * scale;
      float* y = turned + (t > k ? t - k : 0) * dim;
      for (int i = 0; i < dim; ++i) y[i] += weight * now[i];
    }
  for (int t = 0; t < s.length; ++t) rotate(s, turned + t * dim, t, -1.0f, grad + t * stride);
}

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

// (rows, cols) with rows `stride` apart to (cols, ...) with rows `to` ≥ padded(rows) apart. Reads and
// writes whole blocks of 16 x 16.
inline void transpose(const float* z, int stride, int rows, int cols, float* out, int to) {
  for (int t = 0; t < rows; t += LANES)
    for (int i = 0; i < cols; i += LANES) {
      Vec r[LANES];
#pragma GCC unroll 16
      for (int j = 0; j < LANES; ++j) r[j] = at(z + (t + j) * stride + i);
      exchange<1>(r);
      exchange<2>(r);
      exchange<4>(r);
      exchange<8>(r);
#pragma GCC unroll 16
      for (int j = 0; j < LANES; ++j) at(out + (i + j) * to + t) = r[j];
    }
}

inline Vec lanes_from(int n) {
  Vec out;
  for (int j = 0; j < LANES; ++j) out[j] = float(n + j);
  return out;
}

// Scores (T keys, tall queries) to probabilities, for each query over its past, in place; what
// lies ahead of a query becomes 0. Queries lie along the lanes, so that nothing is summed across.
inline void softmax(const Head& s, float* score) {
  const int tall = s.tall();
  const float never = -std::numeric_limits<float>::infinity();
  for (int n = 0; n < tall; n += LANES) {
    const Vec query = lanes_from(n);
    const int last = n + LANES < s.length ? n + LANES : s.length;  // no query here sees a later key
    Vec top = Vec{} + never, sum = {};
    for (int k = 0; k < last; ++k) {
      Vec& v = at(score + k * tall + n);
      if (k > n) v = query < float(k) ? Vec{} + never : v;
      top = v > top ? v : top;
    }
    for (int k = 0; k < last; ++k) {
      Vec& v = at(score + k * tall + n);
      v = exp_of(v - top);
      sum += v;
    }
    const Vec inverse = 1.0f / sum;
    for (int k = 0; k < last; ++k) at(score + k * tall + n) *= inverse;
    for (int k = last; k < s.length; ++k) at(score + k * tall + n) = Vec{};
  }
}

// From gradients of probabilities to gradients of scores, in place; both (T keys, tall queries).
inline void softmax_back(const Head& s, const float* prob, float* grad) {
  const int tall = s.tall();
  for (int n = 0; n < tall; n += LANES) {
    Vec sum = {};
    for (int k = 0; k < s.length; ++k) sum += at(prob + k * tall + n) * at(grad + k * tall + n);
    for (int k = 0; k < s.length; ++k) {
      Vec& g = at(grad + k * tall + n);
      g = (g - sum) * at(prob + k * tall + n);
    }
  }
}

// Room that attention of one head needs.
struct Room {
  float *turned, *square, *flipped;  // (T, dim), (T, tall), (padded(dim), tall)
};

// From q, k, v (q and k become rotated and filtered) to o, and the probabilities p (T keys, tall).
inline void attend(const Head& s, float* q, float* k, const float* v, int stride, const float* cq,
                   const float* ck, float* p, float* o, int out, const Room& room) {
  const int tall = s.tall();
  position(s, q, stride, cq, 1.0f / __builtin_sqrtf(float(s.dim)), room.turned);
  position(s, k, stride, ck, 1.0f, room.turned);
  transpose(q, stride, s.length, s.dim, room.flipped, tall);
  product<false>(k, stride, 1, room.flipped, tall, p, tall, s.length, tall, s.dim);
  softmax(s, p);
  product<false>(p, 1, tall, v, stride, o, out, s.length, s.dim, s.length);
}

// From the gradient of o to those of q, k, v as they were before `attend`; q and k as it left them.
inline void attend_back(const Head& s, const float* q, const float* k, const float* v, int stride,
                        const float* cq, const float* ck, const float* p, const float* go, int out,
                        float* gq, float* gk, float* gv, const Room& room) {
  const int tall = s.tall();
  product<false>(p, tall, 1, go, out, gv, stride, s.length, s.dim, s.length);
  transpose(go, out, s.length, s.dim, room.flipped, tall);
  product<false>(v, stride, 1, room.flipped, tall, room.square, tall, s.length, tall, s.dim);
  softmax_back(s, p, room.square);
  product<false>(room.square, 1, tall, k, stride, gq, stride, s.length, s.dim, s.length);
  position_back(s, gq, stride, cq, 1.0f / __builtin_sqrtf(float(s.dim)), room.turned);
  product<false>(room.square, tall, 1, q, stride, gk, stride, s.length, s.dim, s.length);
  position_back(s, gk, stride, ck, 1.0f, room.turned);
}
