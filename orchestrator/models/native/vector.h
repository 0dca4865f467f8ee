// Sixteen floats at a time, and the elementary functions on them. GCC's vector extension, in the part
// of it that clang shares: no intrinsics, so that every processor runs the same source.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>

constexpr int LANES = 16;
typedef float Vec __attribute__((vector_size(LANES * 4)));
typedef int32_t IVec __attribute__((vector_size(LANES * 4)));

inline int padded(int n) { return (n + LANES - 1) / LANES * LANES; }

// Sixteen numbers from memory and to it, wherever they lie. Copies, not casts: what a typedef says of
// alignment is lost in templates, and then a number that lies askew is a crash.
inline Vec load(const float* x) {
  Vec out;
  std::memcpy(&out, x, sizeof out);
  return out;
}
inline void store(float* x, const Vec& v) { std::memcpy(x, &v, sizeof v); }

#ifndef __has_builtin
#define __has_builtin(x) 0
#endif

// Sixteen lanes of the thirty-two of a and b, by number.
template <int... LANE>
inline Vec pick(const Vec& a, const Vec& b) {
  static_assert(sizeof...(LANE) == LANES, "one number a lane");
#if __has_builtin(__builtin_shufflevector)
  return __builtin_shufflevector(a, b, LANE...);  // clang, and GCC from 12 on
#else
  return __builtin_shuffle(a, b, IVec{LANE...});
#endif
}

// The lanes from FIRST on, brought to the front; what lies behind them does not matter.
template <int FIRST>
inline Vec upper(const Vec& v) {
  constexpr int n = FIRST;
  return pick<n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7, n, n, n, n, n, n, n, n>(v, v);
}

// The sum of all lanes, by halves.
inline float total(Vec v) {
  v += upper<8>(v);
  v += upper<4>(v);
  v += upper<2>(v);
  return v[0] + v[1];
}

// The larger number of each lane, b's where a's is none.
inline Vec larger(const Vec& a, const Vec& b) { return a > b ? a : b; }

// The largest lane that is a number.
inline float largest(Vec v) {
  v = larger(v, upper<8>(v));
  v = larger(v, upper<4>(v));
  v = larger(v, upper<2>(v));
  return larger(v, upper<1>(v))[0];
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
  Vec scale;
  std::memcpy(&scale, &power, sizeof scale);
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
  for (; i + LANES <= n; i += LANES) sum += load(a + i) * load(b + i);
  float out = total(sum);
  for (; i < n; ++i) out += a[i] * b[i];
  return out;
}
