// Training steps and evaluation of many runs, one run after the other, on one core. The arithmetic
// is that of training/step.py and optimizers/adamw.py. Built by native/build.py.

#include "transformer.h"

namespace {

// Clip and AdamW of one run, in place; returns the gradient's norm before the clip.
float update(int n, const float* grad, float* params, float* mean, float* square, float lr,
             float decay, float clip, float number, float beta1, float beta2, float eps) {
  const float norm = std::sqrt(dot(grad, grad, n));
  const float ratio = clip / (norm + 1e-6f);
  const float factor = ratio > 1.0f ? 1.0f : ratio;
  const float correction1 = 1.0f - std::pow(beta1, number);
  const float root2 = std::sqrt(1.0f - std::pow(beta2, number));
  const float keep = 1.0f - lr * decay, rate = lr / correction1;
  for (int i = 0; i < n; ++i) {
    const float g = grad[i] * factor;
    mean[i] += (1.0f - beta1) * (g - mean[i]);
    square[i] = beta2 * square[i] + (1.0f - beta2) * g * g;
    params[i] = params[i] * keep - rate * mean[i] / (std::sqrt(square[i]) / root2 + eps);
  }
  return norm;
}

}  // namespace

extern "C" {

// `steps` optimiser steps of each of `runs`, in place: params, mean, square (runs, P); taps (runs,
// layers, streams, H, K); lr, decay, clip (runs); tokens (steps, seeds, batch, T) and targets
// (steps, seeds, batch, scored), of which a run sees those of seed `seen`; number, factor (steps).
// Writes loss (runs, steps) and the last norm (runs). Nonzero: a token or target is none.
int train(const Shape* shape, const float* cos, const float* sin, int64_t runs, int64_t steps,
          int64_t seeds, int64_t batch, float* params, float* mean, float* square,
          const float* taps, const float* lr, const float* decay, const float* clip,
          const int64_t* tokens, const int64_t* targets, const int64_t* seen, const float* number,
          const float* factor, float beta1, float beta2, float eps, float* loss, float* norm) {
  const Shape& s = *shape;
  const int64_t P = s.count(), taps_each = int64_t(s.depth) * s.streams * s.heads * s.kernel;
  Transformer model(s, cos, sin);
  std::vector<float> grad(P);
  for (int64_t w = 0; w < runs; ++w)
    for (int64_t c = 0; c < steps; ++c) {
      const int64_t batches = c * seeds + seen[w];
      const int64_t* given = tokens + batches * batch * s.length;
      const int64_t* asked = targets + batches * batch * s.scored;
      if (!model.known(given, asked, int(batch))) return 1;
      int64_t count = 0;
      for (int64_t i = 0; i < batch * s.scored; ++i) count += asked[i] != IGNORED;
      std::fill(grad.begin(), grad.end(), 0.0f);
      model.set(params + w * P);
      const double sum = model.run(taps + w * taps_each, given, asked, int(batch),
                                   1.0f / float(count), grad.data(), nullptr);
      loss[w * steps + c] = float(sum / double(count));
      norm[w] = update(int(P), grad.data(), params + w * P, mean + w * P, square + w * P,
                       lr[w] * factor[c], decay[w], clip[w], number[c], beta1, beta2, eps);
    }
  return 0;
}

// Summed loss and right answers (runs) of one batch that all runs see.
int evaluate(const Shape* shape, const float* cos, const float* sin, int64_t runs, int64_t batch,
             const float* params, const float* taps, const int64_t* tokens, const int64_t* targets,
             float* loss, int64_t* correct) {
  const Shape& s = *shape;
  const int64_t P = s.count(), taps_each = int64_t(s.depth) * s.streams * s.heads * s.kernel;
  Transformer model(s, cos, sin);
  if (!model.known(tokens, targets, int(batch))) return 1;
  for (int64_t w = 0; w < runs; ++w) {
    correct[w] = 0;
    model.set(params + w * P);
    const double sum = model.run(taps + w * taps_each, tokens, targets, int(batch), 0.0f, nullptr, correct + w);
    loss[w] = float(sum);
  }
  return 0;
}
}
