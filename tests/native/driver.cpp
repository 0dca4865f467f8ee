// Calls of train.cpp from a file, answers to another: what tests/native/calls.py writes and reads, for
// builds that Python can't load (another processor's, a sanitiser's). Every buffer is memory of its own.

#include <cstdlib>
#include <string>

#include "train.cpp"

namespace {

FILE *from, *to;

template <class T>
T value() {
  T out;
  if (std::fread(&out, sizeof out, 1, from) != 1) std::exit(3);
  return out;
}

// A buffer that is as long as the file says, whatever the call says.
template <class T>
struct Given {
  Buffer<T> buffer;
  Given() : buffer{nullptr, value<int64_t>()} {
    buffer.data = static_cast<T*>(std::malloc(sizeof(T) * size_t(buffer.count)));
    if (std::fread(buffer.data, sizeof(T), size_t(buffer.count), from) != size_t(buffer.count)) std::exit(4);
  }
  ~Given() { std::free(buffer.data); }
  operator Buffer<T>() const { return buffer; }
  void write() const { std::fwrite(buffer.data, sizeof(T), size_t(buffer.count), to); }
};

void answer(const char* words) {
  const std::string text = words ? words : "";
  const int64_t size = int64_t(text.size());
  std::fwrite(&size, sizeof size, 1, to);
  std::fwrite(text.data(), 1, text.size(), to);
}

void train_once(const Shape& shape) {
  const auto runs = value<int64_t>(), steps = value<int64_t>(), seeds = value<int64_t>(), batch = value<int64_t>();
  Given<float> cos, sin, params, mean, square, taps, lr, decay, clip;
  Given<int64_t> tokens, targets, seen;
  Given<float> number, factor;
  const auto beta1 = value<float>(), beta2 = value<float>(), eps = value<float>();
  Given<float> scale, floor, loss, norm;
  answer(train(&shape, cos, sin, runs, steps, seeds, batch, params, mean, square, taps, lr, decay,
               clip, tokens, targets, seen, number, factor, beta1, beta2, eps, scale, floor, loss, norm));
  params.write(), loss.write(), norm.write();
}

void evaluate_once(const Shape& shape) {
  const auto runs = value<int64_t>(), batch = value<int64_t>();
  Given<float> cos, sin, params, taps;
  Given<int64_t> tokens, targets;
  Given<float> loss;
  Given<int64_t> correct;
  answer(evaluate(&shape, cos, sin, runs, batch, params, taps, tokens, targets, loss, correct));
  loss.write(), correct.write();
}

}  // namespace

int main(int, char** argv) {
  from = std::fopen(argv[1], "rb"), to = std::fopen(argv[2], "wb");
  if (!from || !to) return 2;
  for (int64_t left = value<int64_t>(); left > 0; --left) {
    const bool trains = value<int64_t>() != 0;
    const Shape shape = value<Shape>();
    trains ? train_once(shape) : evaluate_once(shape);
  }
  return std::fclose(to);
}
