// Attention of one head of one sequence, forward and backward, in blocks of queries against all keys.
//
// The head's columns are copied once into scratch memory, rows padded to whole vectors, keys and values also
// transposed in panels: every product then is one of multiply() with aligned rows. Shape letters: N keys and queries,
// M queries of a block, d columns.
#pragma once

#include "kernels/simd/functions.h"
#include "kernels/simd/gemm_loops.h"
#include "kernels/simd/lanes.h"

namespace coterie::kernels::simd {
namespace {

/// Queries of a block; half as many where there are many keys, so that the scores stay in the second cache.
constexpr std::int64_t kLargeBlock = 64;

/// Sizes of the scratch matrices of one head.
template <class Scalar>
struct Extents {
  Extents(std::int64_t length, std::int64_t width)
      : keys(round_up(length, kLanes<Scalar> > kRowStep ? kLanes<Scalar> : kRowStep)),
        panels(round_up(keys, kPanel<Scalar>)),
        row(round_up(width, kLanes<Scalar>)),
        // A stride that is no power of two spreads the rows over the cache.
        score_row(panels + kLanes<Scalar>),
        block(length > 256 ? kLargeBlock / 2 : kLargeBlock) {}
  std::int64_t keys;       ///< columns of the scores
  std::int64_t panels;     ///< columns of the transposed matrices
  std::int64_t row;        ///< padded d
  std::int64_t score_row;  ///< stride of the scores
  std::int64_t block;      ///< M
};

/// Hands out parts of the scratch memory, each starting on a vector.
template <class Scalar>
class Scratch {
 public:
  explicit Scratch(Scalar* memory) : next_(memory) {}
  Scalar* take(std::int64_t size) {
    Scalar* const out = next_;
    next_ += round_up(size, kPanel<Scalar>);
    return out;
  }

 private:
  Scalar* next_;
};

template <class Scalar>
std::int64_t scratch_size(std::int64_t length, std::int64_t width) {
  const Extents<Scalar> extents(length, width);
  const std::int64_t rows = round_up(length, kRowStep) + kRowStep;
  const std::int64_t words = 2 * (extents.score_row + kWordStep);  // 32-bit words, counted as elements
  // The larger block at any length: sequences of one batch share the memory that the longest needs.
  return 2 * width * extents.panels + 3 * rows * extents.row + 3 * kLargeBlock * extents.row +
         2 * kLargeBlock * extents.score_row + words + 16 * kPanel<Scalar>;
}

/// Copies rows to a stride of whole vectors, zeros behind the columns and below the rows up to kRowStep.
template <class Stored>
inline void copy_rows(Rows<const Stored> from, std::int64_t rows, std::int64_t width, Compute<Stored> factor,
                      Rows<Compute<Stored>> to) {
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t c = 0; c < to.stride; c += kLanes<Compute<Stored>>)
      store(to.data + i * to.stride + c, factor * load_some(from.data + i * from.stride + c, width - c));
  for (std::int64_t i = rows * to.stride; i < round_up(rows, kRowStep) * to.stride; ++i) to.data[i] = 0;
}

/// Transposes rows into panels: [padded / panel][d][panel], zeros behind the last row.
template <class Stored, class Scalar = Compute<Stored>>
inline void transpose_rows(Rows<const Stored> from, std::int64_t rows, std::int64_t padded, std::int64_t width,
                           Scalar* to) {
  for (std::int64_t first = 0; first < padded; first += kPanel<Scalar>) {
    const std::int64_t left = rows > first ? rows - first : 0;
    const std::int64_t here = left < kPanel<Scalar> ? left : kPanel<Scalar>;
    const Stored* const source = from.data + first * from.stride;
    for (std::int64_t c = 0; c < width; ++c, to += kPanel<Scalar>) {
      for (std::int64_t j = 0; j < here; ++j) to[j] = widened(source[j * from.stride + c]);
      for (std::int64_t j = here; j < kPanel<Scalar>; ++j) to[j] = 0;
    }
  }
}

inline float log_of(float x) { return __builtin_logf(x); }
inline double log_of(double x) { return __builtin_log(x); }

/// Largest score of a row, and the sum of exp(score - max).
template <class Scalar>
struct Softmax {
  Scalar max;
  Scalar sum;
};

/// Turns `count` scores into exp(score - max), in place.
template <class Scalar>
inline Softmax<Scalar> exponentials(Scalar* scores, std::int64_t count, std::int64_t padded) {
  // Behind the last key, -infinity: no part of the maximum, and about 0 in the sum.
  for (std::int64_t j = count; j < padded; ++j) scores[j] = -static_cast<Scalar>(__builtin_inf());
  Vector<Scalar> largest = load(scores);
  for (std::int64_t j = kLanes<Scalar>; j < padded; j += kLanes<Scalar>) {
    const Vector<Scalar> next = load(scores + j);
    largest = next > largest ? next : largest;
  }
  Scalar max = largest[0];
  for (int i = 1; i < kLanes<Scalar>; ++i) max = largest[i] > max ? largest[i] : max;
  Vector<Scalar> sum = {};
  for (std::int64_t j = 0; j < padded; j += kLanes<Scalar>) {
    const Vector<Scalar> value = exp_of<Scalar>(load(scores + j) - max);
    store(scores + j, value);
    sum += value;
  }
  return {max, sum_of<Scalar>(sum)};
}

/// The random words of one query and all keys.
template <class Stored>
inline void draw(const Head<Stored>& head, std::int64_t query, std::uint32_t* words) {
  const std::uint32_t place[3] = {head.sequence, (head.head << 16) | static_cast<std::uint32_t>(query), 1};
  random_words(head.drop.key, place, 0, head.length, words);
}

template <class Stored>
inline Compute<Stored> score_scale(const Head<Stored>& head) {
  return static_cast<Compute<Stored>>(1.0 / __builtin_sqrt(static_cast<double>(head.width)));
}

template <class Scalar, class Stored>
inline void write_rows(Rows<Scalar> from, std::int64_t rows, std::int64_t width, Scalar factor, Rows<Stored> to) {
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t c = 0; c < width; c += kLanes<Scalar>)
      store_some(to.data + i * to.stride + c, factor * load(from.data + i * from.stride + c), width - c);
}

template <class Stored>
void attend(const Head<Stored>& head, const HeadOutput<Stored>& output, Compute<Stored>* memory) {
  using Scalar = Compute<Stored>;
  const Extents<Scalar> extents(head.length, head.width);
  Scratch<Scalar> scratch(memory);
  Scalar* const key_dN = scratch.take(head.width * extents.panels);
  const Rows<Scalar> value_Nd = {scratch.take(round_up(head.length, kRowStep) * extents.row), extents.row};
  const Rows<Scalar> query_Md = {scratch.take(extents.block * extents.row), extents.row};
  const Rows<Scalar> out_Md = {scratch.take(extents.block * extents.row), extents.row};
  const Rows<Scalar> scores_MN = {scratch.take(extents.block * extents.score_row), extents.score_row};
  auto* const words = reinterpret_cast<std::uint32_t*>(scratch.take(2 * (extents.score_row + kWordStep)));
  transpose_rows<Stored>(head.key, head.length, extents.keys, head.width, key_dN);
  copy_rows<Stored>(head.value, head.length, head.width, Scalar{1}, value_Nd);
  Scalar inverse[kLargeBlock];
  for (std::int64_t first = 0; first < head.length; first += extents.block) {
    const std::int64_t here = head.length - first < extents.block ? head.length - first : extents.block;
    const std::int64_t rows = round_up(here, kRowStep);
    copy_rows<Stored>({head.query.data + first * head.query.stride, head.query.stride}, here, head.width,
                      score_scale(head), query_Md);
    multiply_panels<Scalar>({query_Md.data, query_Md.stride, 1}, rows, head.width, key_dN, extents.keys, scores_MN);
    for (std::int64_t i = 0; i < here; ++i) {
      Scalar* const row = scores_MN.data + i * scores_MN.stride;
      const Softmax<Scalar> softmax = exponentials(row, head.length, extents.keys);
      output.log_sum[first + i] = softmax.max + log_of(softmax.sum);
      inverse[i] = static_cast<Scalar>(head.drop.kept) / softmax.sum;
      if (head.drop.limit == 0) continue;
      draw(head, first + i, words);
      for (std::int64_t j = 0; j < extents.keys; ++j) row[j] = words[j] < head.drop.limit ? Scalar{0} : row[j];
    }
    multiply<Into::overwrite, Scalar>({scores_MN.data, scores_MN.stride, 1}, rows, head.length,
                                      {value_Nd.data, value_Nd.stride}, extents.row, out_Md);
    for (std::int64_t i = 0; i < here; ++i)
      write_rows<Scalar, Stored>({out_Md.data + i * out_Md.stride, out_Md.stride}, 1, head.width, inverse[i],
                                 {output.out.data + (first + i) * output.out.stride, output.out.stride});
  }
}

/// From a row of scores and of gradients of the dropped probabilities: the dropped probabilities, not yet multiplied by
/// `kept`, into the one, and the gradients of the scores into the other.
template <class Scalar>
inline void score_gradients(Scalar* scores, Scalar* gradients, std::int64_t padded, Scalar log_sum, Scalar delta,
                            Scalar kept, const std::uint32_t* words, std::uint32_t limit) {
  for (std::int64_t j = 0; j < padded; j += kLanes<Scalar>)
    store(scores + j, exp_of<Scalar>(load(scores + j) - log_sum));
  if (limit == 0) {
    for (std::int64_t j = 0; j < padded; ++j) gradients[j] = scores[j] * (kept * gradients[j] - delta);
    return;
  }
  for (std::int64_t j = 0; j < padded; ++j) {
    const bool dropped = words[j] < limit;
    gradients[j] = scores[j] * ((dropped ? Scalar{0} : kept * gradients[j]) - delta);
    scores[j] = dropped ? Scalar{0} : scores[j];
  }
}

template <class Stored>
void attend_backward(const Head<Stored>& head, const HeadGradient<Stored>& gradient, Compute<Stored>* memory) {
  using Scalar = Compute<Stored>;
  const Extents<Scalar> extents(head.length, head.width);
  const std::int64_t padded_rows = round_up(head.length, kRowStep);
  const Scalar scale = score_scale(head);
  const auto kept = static_cast<Scalar>(head.drop.kept);
  Scratch<Scalar> scratch(memory);
  const auto matrix = [&](std::int64_t rows, std::int64_t row) { return Rows<Scalar>{scratch.take(rows * row), row}; };
  Scalar* const key_dN = scratch.take(head.width * extents.panels);
  Scalar* const value_dN = scratch.take(head.width * extents.panels);
  const Rows<Scalar> key_Nd = matrix(padded_rows, extents.row);
  const Rows<Scalar> key_gradient_Nd = matrix(padded_rows, extents.row);
  const Rows<Scalar> value_gradient_Nd = matrix(padded_rows, extents.row);
  const Rows<Scalar> query_Md = matrix(extents.block, extents.row);
  const Rows<Scalar> out_gradient_Md = matrix(extents.block, extents.row);
  const Rows<Scalar> query_gradient_Md = matrix(extents.block, extents.row);
  const Rows<Scalar> scores_MN = matrix(extents.block, extents.score_row);
  const Rows<Scalar> gradients_MN = matrix(extents.block, extents.score_row);
  auto* const words = reinterpret_cast<std::uint32_t*>(scratch.take(2 * (extents.score_row + kWordStep)));
  transpose_rows<Stored>(head.key, head.length, extents.keys, head.width, key_dN);
  transpose_rows<Stored>(head.value, head.length, extents.keys, head.width, value_dN);
  copy_rows<Stored>(head.key, head.length, head.width, Scalar{1}, key_Nd);
  for (std::int64_t i = 0; i < padded_rows * extents.row; ++i) key_gradient_Nd.data[i] = value_gradient_Nd.data[i] = 0;
  for (std::int64_t first = 0; first < head.length; first += extents.block) {
    const auto from = [&](Rows<const Stored> all) {
      return Rows<const Stored>{all.data + first * all.stride, all.stride};
    };
    const std::int64_t here = head.length - first < extents.block ? head.length - first : extents.block;
    const std::int64_t rows = round_up(here, kRowStep);
    copy_rows<Stored>(from(head.query), here, head.width, scale, query_Md);
    copy_rows<Stored>(from(gradient.out_gradient), here, head.width, Scalar{1}, out_gradient_Md);
    multiply_panels<Scalar>({query_Md.data, query_Md.stride, 1}, rows, head.width, key_dN, extents.keys, scores_MN);
    multiply_panels<Scalar>({out_gradient_Md.data, out_gradient_Md.stride, 1}, rows, head.width, value_dN, extents.keys,
                            gradients_MN);
    for (std::int64_t i = 0; i < here; ++i) {
      // The sum over keys of probability times its gradient is that over columns of the output times its own.
      Vector<Scalar> products = {};
      const Stored* const out = from(gradient.out).data + i * gradient.out.stride;
      for (std::int64_t c = 0; c < head.width; c += kLanes<Scalar>)
        products += load_some(out + c, head.width - c) * load(out_gradient_Md.data + i * extents.row + c);
      const Scalar delta = sum_of<Scalar>(products);
      if (head.drop.limit != 0) draw(head, first + i, words);
      score_gradients(scores_MN.data + i * scores_MN.stride, gradients_MN.data + i * gradients_MN.stride, extents.keys,
                      gradient.log_sum[first + i], delta, kept, words, head.drop.limit);
    }
    multiply<Into::add, Scalar>({scores_MN.data, 1, scores_MN.stride}, padded_rows, here,
                                {out_gradient_Md.data, extents.row}, extents.row, value_gradient_Nd);
    multiply<Into::add, Scalar>({gradients_MN.data, 1, gradients_MN.stride}, padded_rows, here,
                                {query_Md.data, extents.row}, extents.row, key_gradient_Nd);
    multiply<Into::overwrite, Scalar>({gradients_MN.data, gradients_MN.stride, 1}, rows, head.length,
                                      {key_Nd.data, extents.row}, extents.row, query_gradient_Md);
    write_rows<Scalar, Stored>(query_gradient_Md, here, head.width, scale,
                               {gradient.query.data + first * gradient.query.stride, gradient.query.stride});
  }
  write_rows<Scalar, Stored>(key_gradient_Nd, head.length, head.width, Scalar{1}, gradient.key);
  write_rows<Scalar, Stored>(value_gradient_Nd, head.length, head.width, kept, gradient.value);
}

}  // namespace
}  // namespace coterie::kernels::simd
