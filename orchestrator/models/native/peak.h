// What one core can do at most: multiply-adds that wait for nothing but their registers.
#pragma once

#include <cstdint>

#include "vector.h"

// rounds x CHAINS x LANES multiply-adds in CHAINS sums that don't wait for each other; their total, so
// that they are made.
template <int CHAINS>
inline float multiply_adds(int64_t rounds, float factor, float term) {
  Vec sums[CHAINS], x = Vec{} + factor, y = Vec{} + term;
  for (int i = 0; i < CHAINS; ++i) sums[i] = Vec{} + float(i);
  for (int64_t n = 0; n < rounds; ++n)
    for (int i = 0; i < CHAINS; ++i) sums[i] = sums[i] * x + y;
  Vec all = {};
  for (int i = 0; i < CHAINS; ++i) all += sums[i];
  return total(all);
}
