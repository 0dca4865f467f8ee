// Training steps and evaluation of many runs, one run after the other, on one core. The arithmetic
// is that of training/step.py and optimizers/adamw.py. Built by native/build.py.

#include <exception>

#include "check.h"
#include "peak.h"

namespace {

// Clip and AdamW of one run, in place; returns the gradient's norm before the clip. scale, floor (n):
// factors of the rate and of eps; null: 1.
float update(int n, const float* grad, float* params, float* mean, float* square, float lr,
             float decay, float clip, float number, float beta1, float beta2, float eps,
             const float* scale, const float* floor) {
  const float norm = std::sqrt(dot(grad, grad, n));
  const float ratio = clip / (norm + 1e-6f);
  const float factor = ratio > 1.0f ? 1.0f : ratio;
  const float correction1 = 1.0f - std::pow(beta1, number);
  const float root2 = std::sqrt(1.0f - std::pow(beta2, number));
  const float keep = 1.0f - lr * decay, rate = lr / correction1;
  const auto moments = [&](int i) {
    const float g = grad[i] * factor;
    mean[i] += (1.0f - beta1) * (g - mean[i]);
    square[i] = beta2 * square[i] + (1.0f - beta2) * g * g;
  };
  if (!scale)
    for (int i = 0; i < n; ++i) {
      moments(i);
      params[i] = params[i] * keep - rate * mean[i] / (std::sqrt(square[i]) / root2 + eps);
    }
  else
    for (int i = 0; i < n; ++i) {
      moments(i);
      params[i] = params[i] * keep - rate * scale[i] * mean[i] / (std::sqrt(square[i]) / root2 + eps * floor[i]);
    }
  return norm;
}

// What `call` says is wrong with itself, in words that stand until this thread's next call; null: nothing.
template <class F>
const char* answer(F call) {
  try {
    return call();
  } catch (const std::exception&) {  // of allocation: nothing here throws another
    return "not enough memory for a model of this shape";
  }
}

}  // namespace

extern "C" {

// `steps` optimiser steps of each of `runs`, in place: params, mean, square (runs, P); taps (runs,
// layers, streams, H, K); lr, decay, clip (runs); tokens (steps, seeds, batch, T) and targets
// (steps, seeds, batch, scored), of which a run sees those of seed `seen` (runs); number, factor
// (steps); cos, sin (T, head_dim / 2) or both empty; scale, floor (P) or both empty. Writes loss (runs, steps) and the last norm (runs).
// Returns null, or in words why nothing was done.
const char* train(const Shape* shape, Floats cos, Floats sin, int64_t runs, int64_t steps,
                  int64_t seeds, int64_t batch, Floats params, Floats mean, Floats square,
                  Floats taps, Floats lr, Floats decay, Floats clip, Ints tokens, Ints targets,
                  Ints seen, Floats number, Floats factor, float beta1, float beta2, float eps,
                  Floats scale, Floats floor, Floats loss, Floats norm) {
  const Shape& s = *shape;
  return answer([&]() -> const char* {
    Check check;
    check.shape(s, cos, sin).size("batch", batch, 1, MOST);
    check.size("runs", runs, 1, MOST).size("steps", steps, 1, MOST).size("seeds", seeds, 1, MOST);
    if (check.words()) return check.words();
    const int64_t P = s.count();
    check.holds("params", params, {runs, P}).holds("mean", mean, {runs, P}).holds("square", square, {runs, P});
    check.holds("taps", taps, {runs, s.taps()}).holds("lr", lr, {runs});
    check.holds("weight_decay", decay, {runs}).holds("clip", clip, {runs}).holds("seen", seen, {runs});
    check.holds("tokens", tokens, {steps, seeds, batch, s.length});
    check.holds("targets", targets, {steps, seeds, batch, s.scored});
    check.holds("number", number, {steps}).holds("factor", factor, {steps});
    if (scale.count || floor.count) check.holds("scale", scale, {P}).holds("floor", floor, {P});
    check.holds("loss", loss, {runs, steps}).holds("norm", norm, {runs});
    check.within("seen", seen, seeds, 0);
    check.within("tokens", tokens, s.vocab, 0).within("targets", targets, s.vocab, IGNORED);
    if (check.words()) return check.words();
    Transformer model(s, cos.count ? cos.data : nullptr, sin.data);
    std::vector<float> grad(P);
    for (int64_t w = 0; w < runs; ++w)
      for (int64_t c = 0; c < steps; ++c) {
        const int64_t batches = c * seeds + seen.data[w];
        const int64_t* given = tokens.data + batches * batch * s.length;
        const int64_t* asked = targets.data + batches * batch * s.scored;
        int64_t count = 0;
        for (int64_t i = 0; i < batch * s.scored; ++i) count += asked[i] != IGNORED;
        std::fill(grad.begin(), grad.end(), 0.0f);
        float* p = params.data + w * P;
        model.set(p);
        const double sum = model.run(taps.data + w * s.taps(), given, asked, int(batch),
                                     1.0f / float(count), grad.data(), nullptr);
        loss.data[w * steps + c] = float(sum / double(count));
        norm.data[w] = update(int(P), grad.data(), p, mean.data + w * P, square.data + w * P,
                              lr.data[w] * factor.data[c], decay.data[w], clip.data[w],
                              number.data[c], beta1, beta2, eps,
                              scale.count ? scale.data : nullptr, floor.data);
      }
    return nullptr;
  });
}

// Summed loss and right answers (runs) of one batch that all runs see: tokens (batch, T), targets
// (batch, scored). Returns null, or in words why nothing was done.
const char* evaluate(const Shape* shape, Floats cos, Floats sin, int64_t runs, int64_t batch,
                     Floats params, Floats taps, Ints tokens, Ints targets, Floats loss, Ints correct) {
  const Shape& s = *shape;
  return answer([&]() -> const char* {
    Check check;
    check.shape(s, cos, sin).size("batch", batch, 1, MOST).size("runs", runs, 1, MOST);
    if (check.words()) return check.words();
    const int64_t P = s.count();
    check.holds("params", params, {runs, P}).holds("taps", taps, {runs, s.taps()});
    check.holds("tokens", tokens, {batch, s.length}).holds("targets", targets, {batch, s.scored});
    check.holds("loss", loss, {runs}).holds("correct", correct, {runs});
    check.within("tokens", tokens, s.vocab, 0).within("targets", targets, s.vocab, IGNORED);
    if (check.words()) return check.words();
    Transformer model(s, cos.count ? cos.data : nullptr, sin.data);
    for (int64_t w = 0; w < runs; ++w) {
      correct.data[w] = 0;
      model.set(params.data + w * P);
      const double sum = model.run(taps.data + w * s.taps(), tokens.data, targets.data, int(batch),
                                   0.0f, nullptr, correct.data + w);
      loss.data[w] = float(sum);
    }
    return nullptr;
  });
}

// Multiply-adds of `chains` sums (4 or 12: what hides a unit's latency and still fits the registers differs
// between processors), 16 a round each; 0 for another number.
float peak(int64_t rounds, int64_t chains, float factor, float term) {
  if (chains == 4) return multiply_adds<4>(rounds, factor, term);
  if (chains == 12) return multiply_adds<12>(rounds, factor, term);
  return 0.0f;
}
}
