// Causal attention of rotated and filtered queries and keys, forward and backward, for one head of
// one sequence. The arithmetic is that of momentum.py, rope.py and attention.py.
#pragma once

#include <utility>

#include "product.h"

// One head of one sequence: T rows of `dim` numbers, `stride` apart.
struct Head {
  int length, dim, kernel;
  const float *cos, *sin;  // (T, dim / 2), or null: not rotated
  int tall() const { return padded(length); }
};

// Sixteen numbers at once, or one.
struct Many {
  static Vec in(const float* x) { return load(x); }
  static void out(float* x, const Vec& v) { store(x, v); }
};
struct Single {
  static float in(const float* x) { return *x; }
  static void out(float* x, float v) { *x = v; }
};

// f(i, Many) for i = 0, 16, ... as long as sixteen are left of `size`, then f(i, Single).
template <class F>
inline void across(int size, F f) {
  int i = 0;
  for (; i + LANES <= size; i += LANES) f(i, Many{});
  for (; i < size; ++i) f(i, Single{});
}

// One row rotated; or, with -1 for `way`, rotated back.
inline void rotate(const Head& s, const float* x, int t, float way, float* y) {
  if (s.cos == nullptr) {
    std::memcpy(y, x, sizeof(float) * s.dim);
    return;
  }
  const int half = s.dim / 2;
  const float *co = s.cos + t * half, *si = s.sin + t * half;
  across(half, [&](int i, auto kind) {
    const auto a = kind.in(x + i), b = kind.in(x + i + half);
    const auto c = kind.in(co + i), d = kind.in(si + i) * way;
    kind.out(y + i, a * c - b * d);
    kind.out(y + i + half, b * c + a * d);
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
        kind.out(y + i, first * kind.in(now + i) + second * kind.in(past + i));
      });
    else
      across(dim, [&](int i, auto kind) { kind.out(y + i, first * kind.in(now + i)); });
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
        kind.out(y + i, first * kind.in(now + i) + second * kind.in(later + i));
      });
    else
      across(dim, [&](int i, auto kind) { kind.out(y + i, first * kind.in(now + i)); });
  }
  for (int k = 1; k < s.kernel; ++k)
    for (int t = 0; t < (k == 1 ? 1 : s.length); ++t) {  // of lag 1 only t = 0, its own past, is left
      const float *now = grad + t * stride, weight = c[k] * scale;
      float* y = turned + (t > k ? t - k : 0) * dim;
      for (int i = 0; i < dim; ++i) y[i] += weight * now[i];
    }
  for (int t = 0; t < s.length; ++t) rotate(s, turned + t * dim, t, -1.0f, grad + t * stride);
}

// One step of the butterfly that transposes 16 x 16: swaps off-diagonal blocks of size STEP. J: 0..15.
template <int STEP, int... J>
inline void exchange(Vec* r, std::integer_sequence<int, J...>) {
#pragma GCC unroll 16
  for (int i = 0; i < LANES; ++i)
    if (!(i & STEP)) {
      const Vec a = r[i], b = r[i | STEP];
      r[i] = pick<(J & STEP ? J - STEP + LANES : J)...>(a, b);
      r[i | STEP] = pick<(J & STEP ? J + LANES : J + STEP)...>(a, b);
    }
}

// (rows, cols) with rows `stride` apart to (cols, ...) with rows `to` ≥ padded(rows) apart. Reads and
// writes whole blocks of 16 x 16.
inline void transpose(const float* z, int stride, int rows, int cols, float* out, int to) {
  constexpr std::make_integer_sequence<int, LANES> lanes;
  for (int t = 0; t < rows; t += LANES)
    for (int i = 0; i < cols; i += LANES) {
      Vec r[LANES];
#pragma GCC unroll 16
      for (int j = 0; j < LANES; ++j) r[j] = load(z + (t + j) * stride + i);
      exchange<1>(r, lanes);
      exchange<2>(r, lanes);
      exchange<4>(r, lanes);
      exchange<8>(r, lanes);
#pragma GCC unroll 16
      for (int j = 0; j < LANES; ++j) store(out + (i + j) * to + t, r[j]);
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
      Vec v = load(score + k * tall + n);
      if (k > n) store(score + k * tall + n, v = query < float(k) ? Vec{} + never : v);
      top = v > top ? v : top;
    }
    for (int k = 0; k < last; ++k) {
      const Vec v = exp_of(load(score + k * tall + n) - top);
      store(score + k * tall + n, v);
      sum += v;
    }
    const Vec inverse = 1.0f / sum;
    for (int k = 0; k < last; ++k)
      store(score + k * tall + n, load(score + k * tall + n) * inverse);
    for (int k = last; k < s.length; ++k) store(score + k * tall + n, Vec{});
  }
}

// From gradients of probabilities to gradients of scores, in place; both (T keys, tall queries).
inline void softmax_back(const Head& s, const float* prob, float* grad) {
  const int tall = s.tall();
  for (int n = 0; n < tall; n += LANES) {
    Vec sum = {};
    for (int k = 0; k < s.length; ++k) sum += load(prob + k * tall + n) * load(grad + k * tall + n);
    for (int k = 0; k < s.length; ++k) {
      float* g = grad + k * tall + n;
      store(g, (load(g) - sum) * load(prob + k * tall + n));
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
