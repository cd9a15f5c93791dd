// The routines that sort along an axis. x has the shape [outer, n, inner]. NaN counts as the largest number.
// Elements that compare equal (-0 and 0, two NaNs) keep their order, also if the order is descending.
//
// sort: the sorted elements, and their indices as int32. The integer is 1 for descending order, otherwise 0.
//
// argsort: their indices, as int32. The integer is that of sort.
//
// topK: the indices, as int32 [outer, k, inner], of the k largest elements, in descending order.
#include <algorithm>
#include <cstring>

#include "routines/support.h"

namespace forebay {

namespace {

constexpr Checked x = {"x", 0}, out = {"out", 1}, indices = {"indices", 2};

// Maps a number to an unsigned integer with the same order.
template <class T>
struct Order;

template <class Number, class Bits, class Signed>
struct FloatOrder {
  using Word = Bits;
  static Word of(Number number) {
    if (number != number) return ~Word(0);
    number += 0;  // makes -0 equal to 0
    Word bits;
    std::memcpy(&bits, &number, sizeof bits);
    constexpr Word sign = Word(1) << (8 * sizeof bits - 1);
    // The order of negative numbers is the reverse of the order of their bits.
    return (bits & sign) != 0 ? ~bits : bits | sign;
  }
};
template <>
struct Order<float> : FloatOrder<float, std::uint32_t, std::int32_t> {};
template <>
struct Order<double> : FloatOrder<double, std::uint64_t, std::int64_t> {};
template <>
struct Order<std::int32_t> {
  using Word = std::uint32_t;
  static Word of(std::int32_t number) { return static_cast<Word>(number) ^ (Word(1) << 31); }
};

// A key has the order of an element and its index, so that no two keys are equal, and a sort that is not
// stable gives the stable order. It needs no memory, unlike std::stable_sort.
struct Narrow {
  std::uint64_t bits;
  Narrow(std::uint32_t word, std::uint32_t index) : bits(std::uint64_t(word) << 32 | index) {}
  bool operator<(const Narrow& other) const { return bits < other.bits; }
  std::uint32_t index() const { return static_cast<std::uint32_t>(bits); }
};
struct Wide {
  std::uint64_t word;
  std::uint32_t at;
  Wide(std::uint64_t order, std::uint32_t index) : word(order), at(index) {}
  bool operator<(const Wide& other) const { return word != other.word ? word < other.word : at < other.at; }
  std::uint32_t index() const { return at; }
};
template <class T>
using Key = std::conditional_t<sizeof(T) == 8, Wide, Narrow>;

std::size_t keyBytes(const RoutineCall& call) {
  const std::size_t size = call.operands[0].type == DType::float64 ? sizeof(Wide) : sizeof(Narrow);
  return static_cast<std::size_t>(call.operands[0].sizes[1]) * size;
}

std::int64_t lineUnits(const RoutineCall& call) {
  return call.operands[0].sizes[0] * call.operands[0].sizes[2];
}

// Fills `keys` with the keys of `n` elements, `stride` apart.
template <class T>
void fillKeys(Key<T>* keys, const T* from, std::int64_t n, std::int64_t stride, bool descending) {
  using Word = typename Order<T>::Word;
  const Word flip = descending ? ~Word(0) : 0;
  for (std::int64_t j = 0; j < n; ++j) {
    new (keys + j) Key<T>(Order<T>::of(from[j * stride]) ^ flip, static_cast<std::uint32_t>(j));
  }
}

// Sorts the keys so that the first `k` are in order.
template <class T>
void sortKeys(Key<T>* keys, std::int64_t n, std::int64_t k) {
  if (k < n / 8) {
    std::partial_sort(keys, keys + k, keys + n);
  } else {
    std::sort(keys, keys + n);
  }
}

// A unit is one line along the axis. `store` gets the position of a result, its line in x, and its index
// there.
template <class T, class Store>
void orderLines(const RoutineRun& run, std::int64_t from, std::int64_t to, char* scratch, bool descending,
                const Store& store) {
  const RoutineView &view = run.call.operands[0], &result = run.call.operands[1];
  const std::int64_t n = view.sizes[1], k = result.sizes[1], inner = view.sizes[2];
  auto* const keys = reinterpret_cast<Key<T>*>(scratch);
  for (std::int64_t unit = from; unit < to; ++unit) {
    const std::int64_t o = unit / inner, i = unit % inner;
    const T* const line = readAs<T>(run, 0) + o * view.strides[0] + i * view.strides[2];
    const std::int64_t target = o * k * inner + i;
    fillKeys(keys, line, n, view.strides[1], descending);
    sortKeys<T>(keys, n, k);
    for (std::int64_t j = 0; j < k; ++j) store(target + j * inner, line, keys[j].index());
  }
}

bool storeIndices(const RoutineRun& run, std::int64_t from, std::int64_t to, char* scratch, bool descending) {
  auto* const positions = writeAs<std::int32_t>(run, 1);
  withType(run.call.operands[0].type, [&](auto zero) {
    using T = decltype(zero);
    orderLines<T>(run, from, to, scratch, descending,
                  [positions](std::int64_t target, const T*, std::uint32_t index) {
                    positions[target] = static_cast<std::int32_t>(index);
                  });
  });
  return true;
}

bool checkLines(const RoutineCall& call, Fault& fault) {
  return hasRank(call, x, 3, fault) && countable(call, x, 1, fault);
}

bool checkSort(const RoutineCall& call, Fault& fault) {
  return checkLines(call, fault) && hasType(call, out, call.operands[0].type, fault) &&
         hasType(call, indices, DType::int32, fault) && sameShape(call, out, x, fault) &&
         sameShape(call, indices, x, fault) && isFlag(call, 0, "descending", fault);
}

bool runSort(const RoutineRun& run, std::int64_t from, std::int64_t to, char* scratch, RoutineFailure&) {
  const std::int64_t stride = run.call.operands[0].strides[1];
  withType(run.call.operands[0].type, [&](auto zero) {
    using T = decltype(zero);
    T* const values = writeAs<T>(run, 1);
    auto* const order = writeAs<std::int32_t>(run, 2);
    orderLines<T>(run, from, to, scratch, run.call.integers[0] == 1,
                  [=](std::int64_t target, const T* line, std::uint32_t index) {
                    values[target] = line[static_cast<std::int64_t>(index) * stride];
                    order[target] = static_cast<std::int32_t>(index);
                  });
  });
  return true;
}

bool checkArgsort(const RoutineCall& call, Fault& fault) {
  return checkLines(call, fault) && hasType(call, out, DType::int32, fault) &&
         sameShape(call, out, x, fault) && isFlag(call, 0, "descending", fault);
}

bool runArgsort(const RoutineRun& run, std::int64_t from, std::int64_t to, char* scratch, RoutineFailure&) {
  return storeIndices(run, from, to, scratch, run.call.integers[0] == 1);
}

bool checkTopK(const RoutineCall& call, Fault& fault) {
  if (!checkLines(call, fault) || !hasType(call, out, DType::int32, fault) || !hasRank(call, out, 3, fault) ||
      !sameSize(call, out, 0, x, 0, fault) || !sameSize(call, out, 2, x, 2, fault)) {
    return false;
  }
  const std::int64_t n = call.operands[0].sizes[1], k = call.operands[1].sizes[1];
  return k <= n || fault.argument("axis 1 of out has %lld elements, expected at most %lld as axis 1 of x",
                                  static_cast<long long>(k), static_cast<long long>(n));
}

bool runTopK(const RoutineRun& run, std::int64_t from, std::int64_t to, char* scratch, RoutineFailure&) {
  return storeIndices(run, from, to, scratch, true);
}

}  // namespace

extern const RoutineRow sortRow, argsortRow, topKRow;
const RoutineRow sortRow = {"sort", 1,         2,         1,       numberDtypes, false,   -1,
                            0,      checkSort, lineUnits, runSort, nullptr,      nullptr, keyBytes};
const RoutineRow argsortRow = {"argsort",    1,         1,          1,       numberDtypes, false,   -1, 0,
                               checkArgsort, lineUnits, runArgsort, nullptr, nullptr,      keyBytes};
const RoutineRow topKRow = {"topK", 1,         1,         0,       numberDtypes, false,   -1,
                            0,      checkTopK, lineUnits, runTopK, nullptr,      nullptr, keyBytes};

}  // namespace forebay
