#include "test/program_samples.h"

#include <cmath>

#include "kernels/gemm.h"

namespace forebay::test {

namespace {

using Numbers = Code::Numbers;

double number(std::int64_t n) { return static_cast<double>(n); }
double number(DType type) { return static_cast<double>(static_cast<int>(type)); }

Numbers numbersOf(const std::vector<std::int64_t>& list) { return Numbers(list.begin(), list.end()); }

DType someType(Generator& generator) {
  constexpr DType rare[] = {DType::float64, DType::float64, DType::int32, DType::boolean, DType::uint8};
  const std::int64_t draw = between(generator, 0, 9);
  return draw < 5 ? DType::float32 : rare[draw - 5];
}
DType someFloat(Generator& generator) {
  return between(generator, 0, 2) > 0 ? DType::float32 : DType::float64;
}

// Draws random steps of a group, and records the dtype of the value in every register.
class Steps {
 public:
  Steps(Generator& generator, std::int64_t registers, bool exact) : generator_(generator), exact_(exact) {
    held_.resize(static_cast<std::size_t>(registers), -1);
  }

  double write(DType type) {
    const std::int64_t index = between(generator_, 0, static_cast<std::int64_t>(held_.size()) - 1);
    held_[static_cast<std::size_t>(index)] = static_cast<int>(type);
    return number(index);
  }
  // Returns a random register that holds a value of dtype `type`, or -1 if there is none.
  double holding(DType type) {
    std::vector<double> choices;
    for (std::size_t i = 0; i < held_.size(); ++i) {
      if (held_[i] == static_cast<int>(type)) choices.push_back(static_cast<double>(i));
    }
    if (choices.empty()) return -1;
    return choices[static_cast<std::size_t>(
        between(generator_, 0, static_cast<std::int64_t>(choices.size()) - 1))];
  }

  // Appends a random step. Returns false, and appends nothing, if the kernel does not exist for the dtype or
  // no register holds a value of the type of an input.
  bool add(Numbers& numbers) {
    static constexpr const char* exact[] = {"copy", "add",     "sub",     "neg",     "abs",   "sign",
                                            "relu", "maximum", "minimum", "greater", "equal", "where"};
    static constexpr const char* rounded[] = {"sigmoid", "tanh", "mul", "exp"};
    const std::int64_t draw = between(generator_, 0, 19);
    const char* name = exact[between(generator_, 0, 11)];
    if (draw < 5 && !exact_) name = rounded[between(generator_, 0, 3)];
    if (draw < 2 && exact_ && ++products_ <= 2) name = "mul";
    if (name == rounded[2] && ++products_ > 2) name = "sub";
    // exp is used only directly after a tanh, and becomes a tanh otherwise. This makes overflow unlikely.
    if (name == rounded[3]) name = bounded_ ? "exp" : "tanh";
    bounded_ = name == rounded[1];
    const Family family = draw >= 17 ? Family::cast : Family::map;
    if (family == Family::cast) name = nameOf(laneTypes[between(generator_, 0, 6)]);
    const DType type = bounded_                 ? someFloat(generator_)
                       : family == Family::cast ? laneTypes[between(generator_, 0, 6)]
                                                : someType(generator_);
    const Kernel& kernel = kernelOf(*chosen().body, family, name);
    if (!kernel.routine(type)) return false;
    Numbers in = {-1, -1, -1};
    for (int i = 0; i < kernel.arity; ++i) {
      in[static_cast<std::size_t>(i)] = holding(kernel.inputType(type, i));
      if (in[static_cast<std::size_t>(i)] < 0) return false;
    }
    numbers.insert(numbers.end(),
                   {idOf(family, name), number(type), write(kernel.resultType(type)), in[0], in[1], in[2]});
    return true;
  }

 private:
  Generator& generator_;
  const bool exact_;
  std::vector<int> held_;
  int products_ = 0;
  bool bounded_ = false;
};

struct Listed {
  DType type;
  double number;
};

void appendList(Numbers& numbers, const std::vector<Listed>& list) {
  for (const Listed& one : list) numbers.insert(numbers.end(), {number(one.type), one.number});
}

struct Operand {
  DType type;
  Numbers numbers;
  bool written;
};

// Returns a load whose memory a store can overwrite (in place), or null.
const Operand* sameAs(Generator& generator, const std::vector<Operand>& loads, DType type, double buffer,
                      const std::vector<std::int64_t>& sizes) {
  for (const Operand& load : loads) {
    if (load.type != type || load.numbers[0] != buffer || load.written) continue;
    bool whole = true;
    for (std::size_t d = 0; d < sizes.size(); ++d)
      whole = whole && (load.numbers[2 + d] > 0 || sizes[d] <= 1);
    if (whole && between(generator, 0, 1) == 0) return &load;
  }
  return nullptr;
}

}  // namespace

Numbers placed(Space& space, double buffer, DType type, const View& view) {
  const double at = space.take(buffer, type, view.extent()) +
                    static_cast<double>(view.offset) * static_cast<double>(sizeOf(type));
  Numbers numbers = {buffer, at};
  append(numbers, view.strides);
  return numbers;
}

void addSomeGroup(Generator& generator, Code& code, Space& space, bool writing) {
  const bool exact = !writing && between(generator, 0, 1) == 0;
  const std::int64_t closeCount = exact ? between(generator, 0, 2) : 0;
  Steps steps(generator, between(generator, 1, 8), exact);
  std::vector<Listed> loads, stores, closes;
  for (std::int64_t i = between(generator, 1, 5); i > 0; --i) {
    const DType type = someType(generator);
    loads.push_back({type, steps.write(type)});
  }
  Numbers stepNumbers;
  double stepCount = 0;
  for (std::int64_t i = between(generator, 0, 30); i > 0 && stepCount < 14; --i)
    stepCount += steps.add(stepNumbers);
  for (std::int64_t i = between(generator, closeCount > 0 ? 0 : 1, 4); i > 0; --i) {
    const DType type = someType(generator);
    const double from = steps.holding(type);
    if (from >= 0) stores.push_back({type, from});
  }
  for (std::int64_t i = closeCount; i > 0; --i) {
    const DType type = someFloat(generator);
    const double from = steps.holding(type);
    if (from >= 0) closes.push_back({type, from});
  }
  const std::int64_t segments = between(generator, 1, 3);
  const std::vector<std::int64_t> first = someSizes(generator, 4, 2500);
  const std::size_t rank = first.size();
  Numbers segmentNumbers;
  for (std::int64_t s = 0; s < segments; ++s) {
    std::vector<std::int64_t> sizes = first;
    if (s > 0 && rank > 0) sizes[0] = between(generator, 0, 5);
    segmentNumbers.insert(segmentNumbers.end(), sizes.begin(), sizes.end());
    std::vector<Operand> views;
    for (const Listed& load : loads) {
      const double buffer = space.loadable(generator, load.type, !exact);
      views.push_back(
          {load.type, placed(space, buffer, load.type, someView(generator, sizes, true, true)), false});
      append(segmentNumbers,
             std::vector<std::int64_t>(views.back().numbers.begin(), views.back().numbers.end()));
    }
    for (const Listed& store : stores) {
      const bool toVariable = writing && between(generator, 0, 2) > 0;
      const double buffer = toVariable ? space.variableOf(store.type) : space.inArena();
      // Sometimes the store is in place, over a load that no other store of this group overwrites. If the
      // group is one of the writes, stores to the arena are not in place. The writes run twice if results are
      // checked, and the first run would change the values that the second run loads.
      const Operand* same =
          writing && !toVariable ? nullptr : sameAs(generator, views, store.type, buffer, sizes);
      if (same != nullptr) const_cast<Operand*>(same)->written = true;
      const Numbers view = same != nullptr
                               ? same->numbers
                               : placed(space, buffer, store.type, someView(generator, sizes, false, true));
      segmentNumbers.insert(segmentNumbers.end(), view.begin(), view.end());
    }
    for (const Listed& close : closes) {
      segmentNumbers.insert(segmentNumbers.end(),
                            {space.inArena(), space.take(space.inArena(), close.type, 1)});
    }
  }
  Numbers head = {number(segments),
                  static_cast<double>(rank),
                  8,
                  static_cast<double>(loads.size()),
                  stepCount,
                  static_cast<double>(stores.size()),
                  static_cast<double>(closes.size())};
  appendList(head, loads);
  head.insert(head.end(), stepNumbers.begin(), stepNumbers.end());
  appendList(head, stores);
  appendList(head, closes);
  code.add(group, {head, segmentNumbers});
}

namespace {

// Reserves memory for an operand of a product, with one stride of 1 and with gaps. Returns [buffer,
// byteOffset, rowStride, columnStride].
Numbers someMatrix(Generator& generator, Space& space, DType type, std::int64_t rows, std::int64_t columns) {
  const bool transposed = between(generator, 0, 1) == 1;
  const std::int64_t run = transposed ? rows : columns, runs = transposed ? columns : rows;
  const std::int64_t stride = std::max<std::int64_t>(run, 1) + between(generator, 0, 2);
  const std::int64_t extent = run == 0 || runs == 0 ? 0 : (runs - 1) * stride + run;
  const double buffer = space.readable(generator, type);
  const double at = space.take(buffer, type, static_cast<std::size_t>(extent));
  return {buffer, at, number(transposed ? 1 : stride), number(transposed ? stride : 1)};
}

// Reserves memory for a result in the arena. Returns [buffer, byteOffset, rowStride].
Numbers someResult(Generator& generator, Space& space, DType type, std::int64_t rows, std::int64_t columns) {
  const std::int64_t stride = columns + between(generator, 0, 3);
  const std::int64_t extent = rows == 0 || columns == 0 ? 0 : (rows - 1) * stride + columns;
  return {space.inArena(), space.take(space.inArena(), type, static_cast<std::size_t>(extent)),
          number(stride)};
}

std::int64_t someExtent(Generator& generator) {
  static constexpr std::int64_t choices[] = {0, 1, 1, 2, 3, 5, 8, 15, 16, 17, 33, 40};
  return choices[between(generator, 0, 11)];
}

// Returns the flag `accumulate` of a product, at random. It is 0 if the result is not float32, because the
// arena is filled with float32 numbers, which are then in C.
double someAccumulate(Generator& generator, DType type) {
  return type == DType::float32 ? number(between(generator, 0, 1)) : 0;
}

}  // namespace

void addSomeProduct(Generator& generator, Code& code, Space& space) {
  const DType type = someFloat(generator);
  const std::int64_t m = someExtent(generator), n = someExtent(generator), k = someExtent(generator);
  code.add(product, {{number(type), number(m), number(n), number(k), someAccumulate(generator, type)},
                     someMatrix(generator, space, type, m, k),
                     someMatrix(generator, space, type, k, n),
                     someResult(generator, space, type, m, n)});
}

void addSomePackedProduct(Generator& generator, Code& code, Space& space) {
  const DType type = someFloat(generator);
  const std::int64_t m = someExtent(generator), n = someExtent(generator), k = someExtent(generator);
  const auto bytes = packedBytes(type, k, n);
  const double panels = space.take(space.forPanels(), type, bytes / sizeOf(type), 64);
  // The matrix is packed from four pieces that meet at a random point.
  const std::int64_t top = between(generator, 0, k), left = between(generator, 0, n);
  Numbers pieces = {4};
  for (int piece = 0; piece < 4; ++piece) {
    const bool lower = piece >= 2, right = piece % 2 == 1;
    const std::int64_t rows = lower ? k - top : top, columns = right ? n - left : left;
    pieces.insert(pieces.end(),
                  {number(lower ? top : 0), number(right ? left : 0), number(rows), number(columns)});
    const Numbers matrix = someMatrix(generator, space, type, rows, columns);
    pieces.insert(pieces.end(), matrix.begin(), matrix.end());
  }
  code.add(pack, {{number(type), number(k), number(n), space.forPanels(), panels}, pieces});
  code.add(packedProduct, {{number(type), number(m), number(n), number(k), someAccumulate(generator, type)},
                           someMatrix(generator, space, type, m, k),
                           {space.forPanels(), panels},
                           someResult(generator, space, type, m, n)});
}

void addSomeReduction(Generator& generator, Code& code, Space& space) {
  static constexpr const char* names[] = {"sum", "max", "argmax"};
  const std::int64_t which = between(generator, 0, 2);
  const DType type = someFloat(generator);
  std::vector<std::int64_t> sizes = someSizes(generator, 4, 2000);
  const auto kept = static_cast<std::size_t>(between(generator, 0, static_cast<std::int64_t>(sizes.size())));
  for (std::size_t d = kept; d < sizes.size(); ++d) sizes[d] = std::max<std::int64_t>(sizes[d], 1);
  const std::vector<std::int64_t> keptSizes(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(kept));
  const DType result = which == 2 ? DType::int32 : type;
  const Numbers in = placed(space, space.readable(generator, type), type, someView(generator, sizes, true));
  code.add(reduce, {{idOf(Family::reduce, names[which]), number(type), static_cast<double>(kept),
                     static_cast<double>(sizes.size() - kept)},
                    numbersOf(sizes),
                    placed(space, space.inArena(), result, someView(generator, keptSizes, false)),
                    in});
}

void addSomeBatchProduct(Generator& generator, Code& code, Space& space) {
  const DType type = someFloat(generator);
  const std::vector<std::int64_t> sizes = someSizes(generator, 2, 8);
  const std::int64_t m = someExtent(generator), n = someExtent(generator), k = someExtent(generator);
  const bool transA = between(generator, 0, 1) == 1, transB = between(generator, 0, 1) == 1;
  std::int64_t leading[3];
  const auto matrices = [&](int which, std::int64_t rows, std::int64_t columns, double buffer) {
    leading[which] = std::max<std::int64_t>(columns, 1) + between(generator, 0, 2);
    View view = someView(generator, sizes, which < 2);
    const std::int64_t each = std::max<std::int64_t>(rows, 1) * leading[which];
    for (std::int64_t& stride : view.strides) stride *= each;
    view.offset = 0;
    View whole = view;
    whole.sizes.push_back(each);
    whole.strides.push_back(1);
    Numbers numbers = {buffer, space.take(buffer, type, whole.extent())};
    append(numbers, view.strides);
    return numbers;
  };
  const Numbers a = matrices(0, transA ? k : m, transA ? m : k, space.readable(generator, type));
  const Numbers b = matrices(1, transB ? n : k, transB ? k : n, space.readable(generator, type));
  const Numbers c = matrices(2, m, n, space.inArena());
  code.add(batchProduct, {{number(type), someAccumulate(generator, type), static_cast<double>(sizes.size())},
                          numbersOf(sizes),
                          {number(m), number(n), number(k), transA ? 1.0 : 0.0, transB ? 1.0 : 0.0,
                           number(leading[0]), number(leading[1]), number(leading[2])},
                          a,
                          b,
                          c});
}

void addSomeRandom(Generator& generator, Code& code, Space& space) {
  static constexpr const char* names[] = {"uniform", "normal", "truncatedNormal"};
  const DType type = someFloat(generator);
  const auto count = static_cast<std::int64_t>(lengths[between(generator, 0, 15)]);
  code.add(draw, {{idOf(Family::random, names[between(generator, 0, 2)]), number(type),
                   number(between(generator, 0, 1000)), number(count), space.inArena(),
                   space.take(space.inArena(), type, static_cast<std::size_t>(count))}});
}

void addSomeCopy(Generator& generator, Code& code, Space& space, bool writing) {
  const DType type = someType(generator);
  const std::vector<std::int64_t> sizes = someSizes(generator, 4, 2500);
  const double to = writing && between(generator, 0, 2) > 0 ? space.variableOf(type) : space.inArena();
  const Numbers in =
      placed(space, space.readable(generator, type), type, someView(generator, sizes, true, true));
  code.add(copy, {{number(type), static_cast<double>(sizes.size())},
                  numbersOf(sizes),
                  in,
                  placed(space, to, type, someView(generator, sizes, false, true))});
}

void addSomeInstruction(Generator& generator, Code& code, Space& space, std::int64_t kind) {
  switch (kind) {
    case 0:
    case 1:
      return addSomeGroup(generator, code, space, false);
    case 2:
      return addSomeProduct(generator, code, space);
    case 3:
      return addSomePackedProduct(generator, code, space);
    case 4:
      return addSomeReduction(generator, code, space);
    case 5:
      return addSomeBatchProduct(generator, code, space);
    case 6:
    case 7:
      return addSomeRoutine(generator, code, space);
    case 8:
    case 9:
      return addSomeRowGroup(generator, code, space);
    case 10:
      return addSomeLoop(generator, code, space);
    default:
      addSomeRandom(generator, code, space);
      return addSomeCopy(generator, code, space, false);
  }
}

Code someProgram(Generator& generator) {
  Code code;
  Space space(code);
  if (between(generator, 0, 2) == 0) addSomeKept(generator, code, space);
  const std::int64_t first = between(generator, 0, 11);
  for (std::int64_t i = 0; i < 3; ++i) addSomeInstruction(generator, code, space, (first + i) % 12);
  if (between(generator, 0, 1) == 0) addDirectOutput(generator, code);
  if (between(generator, 0, 1) == 0) {
    code.writesBegin();
    addSomeGroup(generator, code, space, true);
    if (between(generator, 0, 1) == 0) addSomeUpdates(generator, code, space);
    addSomeCopy(generator, code, space, true);
  }
  showArena(code);
  return code;
}

void addSomeKept(Generator& generator, Code& code, Space& space) {
  const double kept = code.buffer(keptValues, 0);
  const DType type = someFloat(generator);
  const std::int64_t m = someExtent(generator), n = someExtent(generator), k = someExtent(generator);
  const double panels = space.take(kept, type, packedBytes(type, k, n) / sizeOf(type), 64);
  const double from = space.variableOf(type);
  const double weight = space.take(from, type, static_cast<std::size_t>(k * n));
  const double copied = space.take(kept, type, static_cast<std::size_t>(k * n));
  const double to = space.take(space.inArena(), type, static_cast<std::size_t>(k * n));
  const double count = number(k * n);
  code.add(pack, {{number(type), number(k), number(n), kept, panels, 1},
                  {0, 0, number(k), number(n), from, weight, number(n), 1}});
  code.add(copy, {{number(type), 1, count, from, weight, 1, kept, copied, 1}});
  code.onceEnds();
  code.add(packedProduct, {{number(type), number(m), number(n), number(k), someAccumulate(generator, type)},
                           someMatrix(generator, space, type, m, k),
                           {kept, panels},
                           someResult(generator, space, type, m, n)});
  code.add(copy, {{number(type), 1, count, kept, copied, 1, space.inArena(), to, 1}});
}

void addDirectOutput(Generator& generator, Code& code) {
  const double count = static_cast<double>(between(generator, 0, 40));
  const double own = code.buffer(output, static_cast<std::int64_t>(count) * 4);
  code.outputs.push_back({f32, count, own, 0});
  code.add(draw, {{idOf(Family::random, "uniform"), f32, 7, count, own, 0}});
}

// The numbers are small or very large. With a number in between, such as 10^9, a valid loop would take a long
// time.
double damagedNumber(Generator& generator, double number) {
  static const double hostile[] = {
      -1,           0.5,  NAN,   INFINITY,           2147483647,         2147483648.0,
      4294967296.0, 1e18, 1e300, 9007199254740991.0, 9007199254740992.0, 4503599627370496.0,
      3037000500.0};
  switch (between(generator, 0, 9)) {
    case 0:
      return hostile[between(generator, 0, 12)];
    case 1:
    case 2:
    case 7:
    case 8:
      return static_cast<double>(between(generator, 0, 8));
    case 3:
      return number + static_cast<double>(between(generator, 0, 1) * 2 - 1);
    case 4:
      return number + static_cast<double>(between(generator, -8, 8) * 4);
    case 5:
      return number * 2;
    case 6:
      return -number;
    default:
      return static_cast<double>(between(generator, 0, 300));
  }
}

}  // namespace forebay::test
