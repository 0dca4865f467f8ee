// What a call is told against what it is given: nothing is read or written before all of it fits.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <initializer_list>

#include "transformer.h"

// `count` numbers at `data`.
template <class T>
struct Buffer {
  T* data;
  int64_t count;
};
typedef Buffer<float> Floats;
typedef Buffer<int64_t> Ints;

// Largest sizes whose offsets are held by 32 bits; serves.py lets no larger one through.
constexpr int64_t LONGEST = 1 << 12, LARGEST = 1 << 16, MOST = 1 << 30;

// The first thing that is wrong with a call; a null `words()` where there is none.
class Check {
 public:
  const char* words() const { return wrong ? text() : nullptr; }

  Check& that(bool holds, const char* format, ...) __attribute__((format(printf, 3, 4))) {
    if (wrong || holds) return *this;
    wrong = true;
    va_list values;
    va_start(values, format);
    std::vsnprintf(text(), SIZE, format, values);
    va_end(values);
    return *this;
  }

  Check& size(const char* name, int64_t value, int64_t least, int64_t most) {
    return that(least <= value && value <= most, "%s = %lld: must be in %lld..%lld", name,
                (long long)value, (long long)least, (long long)most);
  }

  // A buffer that holds as many numbers as the product of `axes`.
  template <class T>
  Check& holds(const char* name, const Buffer<T>& x, std::initializer_list<int64_t> axes) {
    int64_t needed = 1;
    for (const int64_t n : axes)
      that(!__builtin_mul_overflow(needed, n, &needed), "%s: its size overflows 64 bits", name);
    that(x.count == needed, "%s: %lld numbers are given and %lld belong there", name,
         (long long)x.count, (long long)needed);
    return that(needed == 0 || x.data, "%s: no memory is given", name);
  }

  Check& within(const char* name, const Ints& x, int64_t end, int64_t or_else) {
    if (wrong) return *this;
    for (int64_t i = 0; i < x.count; ++i)
      if (!(x.data[i] == or_else || (x.data[i] >= 0 && x.data[i] < end)))
        return that(false, "%s: %lld (number %lld) is outside 0..%lld", name, (long long)x.data[i],
                    (long long)i, (long long)end - 1);
    return *this;
  }

  // The shape itself, and the tables of its rotary embedding: both or none.
  Check& shape(const Shape& s, const Floats& cos, const Floats& sin) {
    size("depth", s.depth, 1, LARGEST).size("width", s.width, 1, LONGEST);
    size("heads", s.heads, 1, LARGEST).size("head_dim", s.dim, 1, LARGEST);
    size("heads x head_dim", int64_t(s.heads) * s.dim, 1, LARGEST);
    size("hidden", s.hidden, 0, LARGEST).size("vocab", s.vocab, 1, LARGEST);
    size("length", s.length, 1, LONGEST).size("scored", s.scored, 1, s.length);
    size("kernel", s.kernel, 0, LONGEST).size("streams", s.streams, 2, 2).size("tied", s.tied, 0, 1);
    size("first scored position", s.start, 0, s.length - int64_t(1)).size("every", s.every, 1, LONGEST);
    if (wrong) return *this;
    size("last scored position", s.start + int64_t(s.scored - 1) * s.every, 0, s.length - 1);
    size("parameters", s.count(), 1, MOST).size("taps", s.taps(), 0, MOST);
    if (cos.count == 0 && sin.count == 0) return *this;
    that(s.dim % 2 == 0, "head_dim = %d: must be even where positions are rotated", s.dim);
    return holds("cos", cos, {s.length, s.dim / 2}).holds("sin", sin, {s.length, s.dim / 2});
  }

 private:
  static constexpr int SIZE = 200;
  bool wrong = false;

  static char* text() {  // outlives the call, for the caller to read
    static thread_local char memory[SIZE];
    return memory;
  }
};
