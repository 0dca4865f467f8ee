// The transformer of transformer.py for one run: loss, gradient and right answers of a batch.
//
// A few sequences at a time go forward and back through all layers, so that whatever lies between
// tokens and gradient stays in the second-level cache. Every sum has an order that depends on the
// shape alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "attention.h"

constexpr int64_t IGNORED = -100;  // as in torch.nn.functional.cross_entropy
constexpr size_t CACHE = 192 * 1024;  // floats of a group of sequences: they fit a 2 MiB cache

struct Shape {
  int32_t depth, width, heads, dim, hidden, vocab, length, scored, start, every, kernel, streams;
  int32_t tied;
  float eps;
  int inner() const { return heads * dim; }
  // Where parameters lie in the vector of one run: in the order of the module.
  int64_t block() const { return 4 * width * int64_t(inner()) + width + (hidden ? 2 * width * int64_t(hidden) + width : 0); }
  int64_t first() const { return vocab * int64_t(width); }
  int64_t norm() const { return first() + depth * block(); }
  int64_t head() const { return tied ? 0 : norm() + width; }
  int64_t count() const { return norm() + width + (tied ? 0 : vocab * int64_t(width)); }
  // Numbers of taps: (layers, streams, heads, kernel).
  int64_t taps() const { return int64_t(depth) * streams * heads * kernel; }
};

// Offsets of one block's parameters or gradients.
template <class Float>
struct Block {
  Float *norm, *qkv, *output, *mlp_norm, *up, *down;
  Block(const Shape& s, Float* all, int layer) {
    norm = all + s.first() + layer * s.block();
    qkv = norm + s.width;
    output = qkv + 3 * s.inner() * s.width;
    mlp_norm = output + s.width * s.inner();
    up = mlp_norm + s.width;
    down = up + s.hidden * s.width;
  }
};

class Transformer {
 public:
  Transformer(const Shape& s, const float* cos, const float* sin) : s(s), turn{s.length, s.dim, s.kernel, cos, sin} {
    const int T = s.length, E = s.width, I = s.inner(), F = s.hidden;
    const size_t layer = T * size_t(3 * E + 4 * I + 2 * F + 2) + s.heads * size_t(T) * turn.tall();
    group = int(std::max<size_t>(1, CACHE / (s.depth * layer + T * size_t(2 * E + 4 * I + F))));
    group = std::min(group, 32);
    const size_t N = size_t(group) * T, Q = size_t(group) * s.scored;
    const size_t per_block = N * (3 * E + 4 * I + 2 * F + 2) + size_t(group) * s.heads * T * turn.tall();
    const size_t wide = padded(s.vocab);
    const size_t room = T * size_t(s.dim) + T * size_t(turn.tall()) + padded(s.dim) * size_t(turn.tall());
    memory.assign(2 * size_t(s.count()) + s.width * wide + s.depth * per_block + N * (3 * E + 4 * I + F) +
                      Q * (3 * E + 1 + wide) + room + 64 * LANES * (20 + 10 * s.depth) + LANES * size_t(3 * I), 0.0f);
    next = memory.data() + LANES - reinterpret_cast<uintptr_t>(memory.data()) / sizeof(float) % LANES;
    weights = take(s.count());
    turned = take(s.count());
    head_turned = take(s.width * wide);
    for (int l = 0; l < s.depth; ++l) {
      Saved a;
      a.x = take(N * E), a.h = take(N * E), a.inv = take(N), a.qkv = take(N * 3 * I);
      a.p = take(size_t(group) * s.heads * T * turn.tall()), a.o = take(N * I);
      if (F) a.mid = take(N * E), a.mid_inv = take(N), a.act = take(N * F), a.slope = take(N * F);
      saved.push_back(a);
    }
    x = take(N * E), dx = take(N * E), dh = take(N * E), dqkv = take(N * 3 * I), d_o = take(N * I);
    du = take(N * F);
    xs = take(Q * E), hs = take(Q * E), dxs = take(Q * E), inv = take(Q), logits = take(Q * wide);
    r.turned = take(T * s.dim), r.square = take(T * turn.tall()), r.flipped = take(padded(s.dim) * turn.tall());
  }

  // Parameters from here on; they may change once this has returned.
  void set(const float* params) {
    std::memcpy(weights, params, sizeof(float) * s.count());
    const int E = s.width, I = s.inner(), F = s.hidden;
    for (int l = 0; l < s.depth; ++l) {
      const Block<float> w(s, weights, l), t(s, turned, l);
      flip(w.qkv, 3 * I, E, t.qkv, 3 * I);
      flip(w.output, E, I, t.output, E);
      if (F) flip(w.up, F, E, t.up, F), flip(w.down, E, F, t.down, E);
    }
    flip(weights + s.head(), s.vocab, E, head_turned, padded(s.vocab));
  }

  // Summed loss in nats of `batch` sequences. Adds the gradient of `scale` times it to `grad`, and
  // the number of right answers to `correct`, unless they are null.
  double run(const float* taps, const int64_t* tokens, const int64_t* targets, int batch,
             float scale, float* grad, int64_t* correct) {
    double loss = 0;
    for (int first = 0; first < batch; first += group) {
      const int n = std::min(group, batch - first);
      const int64_t *seen = tokens + int64_t(first) * s.length, *asked = targets + int64_t(first) * s.scored;
      forward(taps, seen, n);
      loss += score(asked, n, scale, correct);
      if (grad) backward(taps, seen, n, grad);
    }
    return loss;
  }

 private:
  struct Saved {
    float *x, *h, *inv, *qkv, *p, *o, *mid, *mid_inv, *act, *slope;
  };
  const Shape s;
  const Head turn;
  int group;
  std::vector<float> memory;
  std::vector<Saved> saved;
  float *next, *weights, *turned, *head_turned, *x, *dx, *dh, *dqkv, *d_o, *du;
  float *xs, *hs, *dxs, *inv, *logits;
  Room r;

  float* take(size_t n) {
    float* out = next;
    next += (n + 32 * LANES) / LANES * LANES;  // room to read past the end, whole lines
    return out;
  }

  static void flip(const float* w, int rows, int cols, float* out, int to) {
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < cols; ++j) out[j * to + i] = w[i * cols + j];
  }

  void norm(const float* x, const float* w, int rows, float* h, float* inv) const {
    const int E = s.width;
    for (int i = 0; i < rows; ++i, x += E, h += E) {
      const float c = inv[i] = 1.0f / std::sqrt(dot(x, x, E) / E + s.eps);
      for (int j = 0; j < E; ++j) h[j] = x[j] * c * w[j];
    }
  }

  // dx += the gradient of x where dh is that of norm(x); dw += that of w.
  void norm_back(const float* x, const float* w, const float* inv, const float* dh, int rows,
                 float* dx, float* dw) const {
    const int E = s.width;
    for (int i = 0; i < rows; ++i, x += E, dh += E, dx += E) {
      float sum = 0;
      Vec sums = {};
      int j = 0;
      for (; j + LANES <= E; j += LANES) sums += load(dh + j) * load(w + j) * load(x + j);
      for (; j < E; ++j) sum += dh[j] * w[j] * x[j];
      const float c = inv[i], d = (sum + total(sums)) * c * c * c / E;
      for (j = 0; j < E; ++j) {
        dw[j] += dh[j] * x[j] * c;
        dx[j] += dh[j] * w[j] * c - x[j] * d;
      }
    }
  }

  const float* taps_of(const float* taps, int layer, int stream, int head) const {
    return taps + ((layer * s.streams + stream) * s.heads + head) * s.kernel;
  }

  void forward(const float* taps, const int64_t* tokens, int n) {
    const int T = s.length, E = s.width, I = s.inner(), F = s.hidden, N = n * T, S = 3 * I;
    float* now = s.depth ? saved[0].x : x;
    for (int i = 0; i < N; ++i) std::memcpy(now + i * E, weights + tokens[i] * E, sizeof(float) * E);
    for (int l = 0; l < s.depth; ++l) {
      const Saved& a = saved[l];
      const Block<float> w(s, weights, l), t(s, turned, l);
      norm(a.x, w.norm, N, a.h, a.inv);
      product<false>(a.h, E, 1, t.qkv, S, a.qkv, S, N, S, E);
      for (int b = 0; b < n; ++b)
        for (int h = 0; h < s.heads; ++h) {
          float* q = a.qkv + size_t(b) * T * S + h * s.dim;
          attend(turn, q, q + I, q + 2 * I, S, taps_of(taps, l, 0, h), taps_of(taps, l, 1, h),
                 a.p + size_t(b * s.heads + h) * T * turn.tall(), a.o + size_t(b) * T * I + h * s.dim, I, r);
        }
      float* after = l + 1 < s.depth ? saved[l + 1].x : x;
      float* mid = F ? a.mid : after;
      std::memcpy(mid, a.x, sizeof(float) * N * E);
      product<true>(a.o, I, 1, t.output, E, mid, E, N, E, I);
      if (!F) continue;
      norm(mid, w.mlp_norm, N, dh, a.mid_inv);
      product<false>(dh, E, 1, t.up, F, a.act, F, N, F, E);
      for (int i = 0; i < N * F; i += LANES) {  // past the end where it is no multiple
        Vec value, slope;
        gelu(load(a.act + i), value, slope);
        store(a.act + i, value), store(a.slope + i, slope);
      }
      std::memcpy(after, mid, sizeof(float) * N * E);
      product<true>(a.act, F, 1, t.down, E, after, E, N, E, F);
    }
  }

  // From x to logits' gradients (in `logits`) and the summed loss.
  double score(const int64_t* targets, int n, float scale, int64_t* correct) {
    const int E = s.width, V = s.vocab, wide = padded(V), Q = n * s.scored;
    for (int b = 0; b < n; ++b)
      for (int i = 0; i < s.scored; ++i)
        std::memcpy(xs + (b * s.scored + i) * E, x + (b * s.length + s.start + i * s.every) * E, sizeof(float) * E);
    norm(xs, weights + s.norm(), Q, hs, inv);
    product<false>(hs, E, 1, head_turned, wide, logits, wide, Q, wide, E);
    double loss = 0;
    for (int i = 0; i < Q; ++i) {
      float* z = logits + i * wide;
      if (targets[i] == IGNORED) {
        for (int j = 0; j < wide; ++j) z[j] = 0;
        continue;
      }
      for (int j = V; j < wide; ++j) z[j] = -std::numeric_limits<float>::infinity();
      Vec tops = load(z);
      for (int j = LANES; j < wide; j += LANES) tops = larger(load(z + j), tops);
      const float top = largest(tops), right = z[targets[i]];
      if (correct) *correct += std::find(z, z + V, top) - z == targets[i];  // the first of equals
      Vec sum = {};
      for (int j = 0; j < wide; j += LANES) {
        const Vec e = exp_of(load(z + j) - top);
        store(z + j, e);
        sum += e;
      }
      const float all = total(sum);
      loss += std::log(all) + top - right;
      for (int j = 0; j < wide; j += LANES) store(z + j, load(z + j) * (scale / all));
      z[targets[i]] -= scale;
    }
    return loss;
  }

  void backward(const float* taps, const int64_t* tokens, int n, float* grad) {
    const int T = s.length, E = s.width, I = s.inner(), F = s.hidden, N = n * T, S = 3 * I;
    const int wide = padded(s.vocab), Q = n * s.scored;
    product<true>(logits, 1, wide, hs, E, grad + s.head(), E, s.vocab, E, Q);
    product<false>(logits, wide, 1, weights + s.head(), E, hs, E, Q, E, s.vocab);
    std::memset(dxs, 0, sizeof(float) * Q * E);
    norm_back(xs, weights + s.norm(), inv, hs, Q, dxs, grad + s.norm());
    std::memset(dx, 0, sizeof(float) * N * E);
    for (int b = 0; b < n; ++b)
      for (int i = 0; i < s.scored; ++i)
        std::memcpy(dx + (b * T + s.start + i * s.every) * E, dxs + (b * s.scored + i) * E, sizeof(float) * E);
    for (int l = s.depth - 1; l >= 0; --l) {
      const Saved& a = saved[l];
      const Block<float> w(s, weights, l), g(s, grad, l);
      if (F) {
        product<false>(dx, E, 1, w.down, F, du, F, N, F, E);
        product<true>(dx, 1, E, a.act, F, g.down, F, E, F, N);
        for (int i = 0; i < N * F; ++i) du[i] *= a.slope[i];
        norm(a.mid, w.mlp_norm, N, dh, a.mid_inv);
        product<true>(du, 1, F, dh, E, g.up, E, F, E, N);
        product<false>(du, F, 1, w.up, E, dh, E, N, E, F);
        norm_back(a.mid, w.mlp_norm, a.mid_inv, dh, N, dx, g.mlp_norm);
      }
      product<false>(dx, E, 1, w.output, I, d_o, I, N, I, E);
      product<true>(dx, 1, E, a.o, I, g.output, I, E, I, N);
      for (int b = 0; b < n; ++b)
        for (int h = 0; h < s.heads; ++h) {
          const size_t base = size_t(b) * T * S + h * s.dim;
          const float* q = a.qkv + base;
          float* gq = dqkv + base;
          attend_back(turn, q, q + I, q + 2 * I, S, taps_of(taps, l, 0, h), taps_of(taps, l, 1, h),
                      a.p + size_t(b * s.heads + h) * T * turn.tall(),
                      d_o + size_t(b) * T * I + h * s.dim, I, gq, gq + I, gq + 2 * I, r);
        }
      product<true>(dqkv, 1, S, a.h, E, g.qkv, E, S, E, N);
      product<false>(dqkv, S, 1, w.qkv, E, dh, E, N, E, S);
      norm_back(a.x, w.norm, a.inv, dh, N, dx, g.norm);
    }
    for (int i = 0; i < N; ++i) {
      float* to = grad + tokens[i] * E;
      for (int j = 0; j < E; ++j) to[j] += dx[i * E + j];
    }
  }
};
