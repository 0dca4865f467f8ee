// Matrix products of small sizes, for operands that lie in the cache.
#pragma once

#include "vector.h"

// C (rows, 16 NV, of which the last LESS lanes are not stored) = A B, or C += A B where ADD. A's
// element (m, k) stands at m am + k ak; B is (depth, ...) with rows bs apart.
template <int NV, int R, bool ADD>
inline void tile(const float* a, int am, int ak, const float* b, int bs, float* c, int cs, int depth,
                 int less) {
  Vec sum[R][NV];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) sum[r][j] = Vec{};
  for (int k = 0; k < depth; ++k) {
    Vec row[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) row[j] = load(b + k * bs + j * LANES);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const float x = a[r * am + k * ak];
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) sum[r][j] += x * row[j];
    }
  }
  if (less) {
    for (int r = 0; r < R; ++r)
      for (int j = 0; j < LANES - less; ++j)
        c[r * cs + j] = ADD ? c[r * cs + j] + sum[r][0][j] : sum[r][0][j];
    return;
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      float* out = c + r * cs + j * LANES;
      store(out, ADD ? load(out) + sum[r][j] : sum[r][j]);
    }
}

template <int NV, bool ADD>
inline void columns(const float* a, int am, int ak, const float* b, int bs, float* c, int cs,
                    int rows, int depth, int less) {
  constexpr int R = NV == 4 ? 6 : 12;
  int m = 0;
  for (; m + R <= rows; m += R)
    tile<NV, R, ADD>(a + m * am, am, ak, b, bs, c + m * cs, cs, depth, less);
  // What is left in few tiles: one of a single row waits for each of its sums in turn.
  const auto rest = [&](auto tile, int height) {
    tile(a + m * am, am, ak, b, bs, c + m * cs, cs, depth, less);
    m += height;
  };
  if (R > 8 && m + 8 <= rows) rest(tile<NV, 8, ADD>, 8);
  if (m + 4 <= rows) rest(tile<NV, 4, ADD>, 4);
  if (m + 3 == rows) rest(tile<NV, 3, ADD>, 3);
  if (m + 2 == rows) rest(tile<NV, 2, ADD>, 2);
  if (m + 1 == rows) rest(tile<NV, 1, ADD>, 1);
}

// C (rows, width) = A B or, where ADD, C += A B. Reads B up to 15 floats past a row's end.
template <bool ADD>
inline void product(const float* a, int am, int ak, const float* b, int bs, float* c, int cs,
                    int rows, int width, int depth) {
  int n = 0;
  for (; n + 4 * LANES <= width; n += 4 * LANES)
    columns<4, ADD>(a, am, ak, b + n, bs, c + n, cs, rows, depth, 0);
  for (; n + 2 * LANES <= width; n += 2 * LANES)
    columns<2, ADD>(a, am, ak, b + n, bs, c + n, cs, rows, depth, 0);
  for (; n < width; n += LANES)
    columns<1, ADD>(a, am, ak, b + n, bs, c + n, cs, rows, depth, n + LANES > width ? n + LANES - width : 0);
}
