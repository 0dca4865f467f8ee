// Sixteen floats at a time, and the elementary functions on them.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>

constexpr int LANES = 16;
typedef float Vec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t IVec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

inline int padded(int n) { return (n + LANES - 1) / LANES * LANES; }
inline Vec& at(float* x) { return *reinterpret_cast<Vec*>(x); }
inline const Vec& at(const float* x) { return *reinterpret_cast<const Vec*>(x); }

// The sum of all lanes, by halves.
inline float total(Vec v) {
  v += __builtin_shuffle(v, IVec{8, 9, 10, 11, 12, 13, 14, 15});
  v += __builtin_shuffle(v, IVec{4, 5, 6, 7});
  v += __builtin_shuffle(v, IVec{2, 3});
  return v[0] + v[1];
}

// The largest lane that is a number.
inline float largest(Vec v) {
  for (const IVec& other : {IVec{8, 9, 10, 11, 12, 13, 14, 15}, IVec{4, 5, 6, 7}, IVec{2, 3}, IVec{1}}) {
    const Vec w = __builtin_shuffle(v, other);
    v = v > w ? v : w;
  }
  return v[0];
}

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

// gelu(x) = x Φ(x) and its derivative Φ(x) + x φ(x); the error function is Abramowitz and Stegun's
// 7.1.26, within 1.5e-7.
inline void gelu(Vec x, Vec& value, Vec& slope) {
  const Vec one = Vec{} + 1.0f;
  const IVec negative = x < Vec{};
  const Vec size = (negative ? -x : x) * 0.70710678118654752f;
  const Vec t = one / (one + 0.3275911f * size);
  Vec y = Vec{} + 1.061405429f;
  y = y * t - 1.453152027f;
  y = y * t + 1.421413741f;
  y = y * t - 0.284496736f;
  y = y * t + 0.254829592f;
  const Vec bell = exp_of(-size * size);
  const Vec tail = 0.5f * y * t * bell;
  const Vec below = negative ? tail : one - tail;
  value = x * below;
  slope = below + x * bell * 0.39894228040143268f;
}

// Σ a b over n numbers.
inline float dot(const float* a, const float* b, int n) {
  Vec sum = {};
  int i = 0;
  for (; i + LANES <= n; i += LANES) sum += at(a + i) * at(b + i);
  float out = total(sum);
  for (; i < n; ++i) out += a[i] * b[i];
  return out;
}
