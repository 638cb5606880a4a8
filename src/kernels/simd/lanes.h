// Vectors as wide as the instruction set of the translation unit: exponentials and random bits.
//
// Everything is in an unnamed namespace, because each translation unit compiles it for other instructions.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/simd/functions.h"

namespace coterie::kernels::simd {
namespace {

#if defined(__AVX512F__)
constexpr std::int64_t kBytes = 64;
#elif defined(__AVX2__)
constexpr std::int64_t kBytes = 32;
#else
constexpr std::int64_t kBytes = 16;
#endif

template <class Scalar>
struct LaneTypes;
template <>
struct LaneTypes<float> {
  typedef float Vector __attribute__((vector_size(kBytes)));
  typedef std::uint32_t Bits __attribute__((vector_size(kBytes)));
};
template <>
struct LaneTypes<double> {
  typedef double Vector __attribute__((vector_size(kBytes)));
  typedef std::uint64_t Bits __attribute__((vector_size(kBytes)));
};
template <class Scalar>
using Vector = typename LaneTypes<Scalar>::Vector;
using Wide = LaneTypes<double>::Bits;

template <class Scalar>
constexpr std::int64_t kLanes = kBytes / static_cast<std::int64_t>(sizeof(Scalar));

constexpr std::int64_t round_up(std::int64_t value, std::int64_t step) { return (value + step - 1) / step * step; }

template <class Scalar>
[[gnu::always_inline]] inline Vector<Scalar> load(const Scalar* from) {
  Vector<Scalar> out;
  __builtin_memcpy(&out, from, sizeof(out));
  return out;
}

template <class Scalar>
[[gnu::always_inline]] inline void store(Scalar* to, Vector<Scalar> value) {
  __builtin_memcpy(to, &value, sizeof(value));
}

// bf16 is widened when it is loaded, and rounded to the nearest, ties to even, when it is stored.
typedef std::uint16_t Halves __attribute__((vector_size(kBytes / 2)));

[[gnu::always_inline]] inline Vector<float> load(const BFloat* from) {
  Halves halves;
  __builtin_memcpy(&halves, from, sizeof(halves));
  return reinterpret_cast<Vector<float>>(__builtin_convertvector(halves, LaneTypes<float>::Bits) << 16);
}

[[gnu::always_inline]] inline void store(BFloat* to, Vector<float> value) {
  using Bits = LaneTypes<float>::Bits;
  const Bits bits = reinterpret_cast<Bits>(value);
  const Bits rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  const Bits quiet = Bits{} + 0x7FC0;  // not a number: rounding could turn one into infinity
  const Halves halves = __builtin_convertvector(value == value ? rounded : quiet, Halves);
  __builtin_memcpy(to, &halves, sizeof(halves));
}

/// Up to a vector; the lanes behind `count` are 0.
template <class Stored>
[[gnu::always_inline]] inline Vector<Compute<Stored>> load_some(const Stored* from, std::int64_t count) {
  constexpr std::int64_t kAll = kLanes<Compute<Stored>>;
  if (count >= kAll) return load(from);
  Stored some[kAll] = {};
  __builtin_memcpy(some, from, static_cast<std::size_t>(count) * sizeof(Stored));
  return load(some);
}

template <class Stored>
[[gnu::always_inline]] inline void store_some(Stored* to, Vector<Compute<Stored>> value, std::int64_t count) {
  constexpr std::int64_t kAll = kLanes<Compute<Stored>>;
  if (count >= kAll) return store(to, value);
  Stored some[kAll];
  store(some, value);
  __builtin_memcpy(to, some, static_cast<std::size_t>(count) * sizeof(Stored));
}

/// One number.
inline float widened(float value) { return value; }
inline double widened(double value) { return value; }
inline float widened(BFloat value) {
  const std::uint32_t bits = static_cast<std::uint32_t>(value.bits) << 16;
  float out;
  __builtin_memcpy(&out, &bits, sizeof(out));
  return out;
}

template <class Scalar>
[[gnu::always_inline]] inline Scalar sum_of(Vector<Scalar> value) {
  Scalar out = value[0];
  for (int i = 1; i < kLanes<Scalar>; ++i) out += value[i];
  return out;
}

// exp: x = n ln 2 + r with |r| <= ln 2 / 2, and a Taylor polynomial in r whose remainder is below the rounding:
// 0.347^8 / 8! < 2^-27 in float, 0.347^14 / 14! < 2^-57 in double.
template <class Scalar>
struct ExpConstants;
template <>
struct ExpConstants<float> {
  static constexpr float lowest = -87.0F;
  static constexpr float magic = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer, kept in the low bits
  static constexpr float log2e = 1.44269504F;
  static constexpr float ln2_high = 0.693359375F;
  static constexpr float ln2_low = -2.12194440e-4F;
  static constexpr int mantissa = 23;
  static constexpr int terms = 8;
};
template <>
struct ExpConstants<double> {
  static constexpr double lowest = -708.0;
  static constexpr double magic = 6755399441055744.0;
  static constexpr double log2e = 1.4426950408889634;
  static constexpr double ln2_high = 6.93147180369123816490e-01;
  static constexpr double ln2_low = 1.90821492927058770002e-10;
  static constexpr int mantissa = 52;
  static constexpr int terms = 14;
};

constexpr double inverse_factorial(int n) { return n < 2 ? 1.0 : inverse_factorial(n - 1) / n; }

/// exp of x <= about 88 (708 in double); smaller arguments than the lowest give its exponential, NaN gives NaN.
template <class Scalar>
[[gnu::always_inline]] inline Vector<Scalar> exp_of(Vector<Scalar> x) {
  using Bits = typename LaneTypes<Scalar>::Bits;
  using Constants = ExpConstants<Scalar>;
  const Vector<Scalar> lowest = Vector<Scalar>{} + Constants::lowest;
  x = x < lowest ? lowest : x;
  const Vector<Scalar> shifted = x * Constants::log2e + Constants::magic;
  const Vector<Scalar> n = shifted - Constants::magic;
  const Vector<Scalar> r = (x - n * Constants::ln2_high) - n * Constants::ln2_low;
  Vector<Scalar> sum = Vector<Scalar>{} + static_cast<Scalar>(inverse_factorial(Constants::terms - 1));
#pragma GCC unroll 16
  for (int k = Constants::terms - 2; k >= 0; --k) sum = sum * r + static_cast<Scalar>(inverse_factorial(k));
  return reinterpret_cast<Vector<Scalar>>(reinterpret_cast<Bits>(sum) +
                                          (reinterpret_cast<Bits>(shifted) << Constants::mantissa));
}

// Products of the low halves, and two vectors of pairs interleaved.
#if defined(__AVX512F__)
[[gnu::always_inline]] inline Wide multiply_low(Wide a, Wide b) {
  return reinterpret_cast<Wide>(_mm512_mul_epu32(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
}
[[gnu::always_inline]] inline Wide zip_first(Wide a, Wide b) {
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
[[gnu::always_inline]] inline Wide zip_second(Wide a, Wide b) {
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}
constexpr Wide kCount = {0, 1, 2, 3, 4, 5, 6, 7};
#elif defined(__AVX2__)
[[gnu::always_inline]] inline Wide multiply_low(Wide a, Wide b) {
  return reinterpret_cast<Wide>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
}
[[gnu::always_inline]] inline Wide zip_first(Wide a, Wide b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
[[gnu::always_inline]] inline Wide zip_second(Wide a, Wide b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }
constexpr Wide kCount = {0, 1, 2, 3};
#else
[[gnu::always_inline]] inline Wide multiply_low(Wide a, Wide b) {
  return reinterpret_cast<Wide>(_mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
}
[[gnu::always_inline]] inline Wide zip_first(Wide a, Wide b) { return __builtin_shufflevector(a, b, 0, 2); }
[[gnu::always_inline]] inline Wide zip_second(Wide a, Wide b) { return __builtin_shufflevector(a, b, 1, 3); }
constexpr Wide kCount = {0, 1};
#endif

/// From random words to the factors of neighbouring elements.
template <class Scalar>
[[gnu::always_inline]] inline Vector<Scalar> factors_of(const std::uint32_t* words, std::uint32_t limit, Scalar kept) {
  typedef std::uint32_t Words __attribute__((vector_size(kLanes<Scalar> * sizeof(std::uint32_t))));
  Words some;
  __builtin_memcpy(&some, words, sizeof(some));
  const auto drawn = __builtin_convertvector(some, typename LaneTypes<Scalar>::Bits);
  const Vector<Scalar> none = {};
  return drawn < limit ? none : none + kept;
}

/// Words that `random_words` writes at least: its output has room for a multiple of them.
constexpr std::int64_t kWordStep = 4 * kLanes<double>;

/// The words of philox(key, {place[0], place[1], i / 4, place[2]})[i % 4] for i from `start`, a multiple of 4, on: at
/// least `count` of them.
///
/// A lane carries one block: the low halves of four vectors are its counter; what the high halves hold is ignored.
inline void random_words(std::uint64_t key, const std::uint32_t (&place)[3], std::int64_t start, std::int64_t count,
                         std::uint32_t* out) {
  const Wide none = {};
  const Wide low_half = none + 0xFFFFFFFFU;
  for (std::int64_t first = 0; first < count; first += kWordStep) {
    Wide c0 = none + place[0];
    Wide c1 = none + place[1];
    Wide c2 = kCount + static_cast<std::uint64_t>((start + first) / 4);
    Wide c3 = none + place[2];
    auto k0 = static_cast<std::uint32_t>(key);
    auto k1 = static_cast<std::uint32_t>(key >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      const Wide p0 = multiply_low(c0, none + 0xD2511F53U);
      const Wide p1 = multiply_low(c2, none + 0xCD9E8D57U);
      c0 = (p1 >> 32) ^ c1 ^ (none + k0);
      c1 = p1;
      c2 = (p0 >> 32) ^ c3 ^ (none + k1);
      c3 = p0;
      k0 += 0x9E3779B9U;
      k1 += 0xBB67AE85U;
    }
    const Wide pair01 = (c0 & low_half) | (c1 << 32);
    const Wide pair23 = (c2 & low_half) | (c3 << 32);
    const Wide head = zip_first(pair01, pair23);
    const Wide tail = zip_second(pair01, pair23);
    __builtin_memcpy(out + first, &head, sizeof(head));
    __builtin_memcpy(out + first + kWordStep / 2, &tail, sizeof(tail));
  }
}

}  // namespace
}  // namespace coterie::kernels::simd
