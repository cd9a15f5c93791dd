// Makes random valid calls of routines.
#include <string>

#include "routines/conv.h"
#include "test/program_samples.h"

namespace forebay::test {

namespace {

using Sizes = std::vector<std::int64_t>;

// A call that is put together: the operands first, then the integers.
class RoutineSample {
 public:
  RoutineSample(Generator& generator, Space& space, const RoutineRow& row)
      : generator_(generator), space_(space), row_(row) {}

  void read(DType type, const Sizes& sizes) { readIn(space_.readable(generator_, type), type, sizes); }
  void readDense(DType type, const Sizes& sizes) {
    operand(space_.readable(generator_, type), type, dense(sizes));
  }
  // Indices are in a buffer of int32 numbers.
  void indices(const Sizes& sizes) {
    double buffer = space_.inArena();
    while (buffer == space_.inArena()) buffer = space_.readable(generator_, DType::int32);
    readIn(buffer, DType::int32, sizes);
  }
  void write(DType type, const Sizes& sizes) { operand(space_.inArena(), type, dense(sizes)); }
  void update(DType type, const Sizes& sizes) { operand(space_.variableOf(type), type, dense(sizes)); }
  // Adds a read that has the view of the last operand of another call.
  void readLastOf(const RoutineSample& other) {
    types_.push_back(other.types_.back());
    views_.push_back(other.views_.back());
    same_ = views_.back();
  }

  // Adds a read and a write that have the same view: both functions must be called.
  void inPlace(DType type, const Sizes& sizes) { inPlaceIn(space_.inArena(), type, sizes); }
  void inPlaceIn(double buffer, DType type, const Sizes& sizes) {
    operand(buffer, type, dense(sizes));
    same_ = views_.back();
  }
  void writeSame(DType type) {
    types_.push_back(static_cast<double>(static_cast<int>(type)));
    views_.push_back(same_);
  }

  void add(Code& code, const Code::Numbers& integers) {
    double id = 0;
    while (routines[static_cast<std::int64_t>(id)] != &row_) ++id;
    std::vector<Code::Numbers> pieces = {{id}, types_};
    pieces.insert(pieces.end(), views_.begin(), views_.end());
    pieces.push_back(integers);
    code.add(routine, pieces);
  }

 private:
  static View dense(const Sizes& sizes) {
    View view;
    view.sizes = sizes;
    view.strides.assign(sizes.size(), 1);
    for (std::size_t d = sizes.size(); d-- > 1;) view.strides[d - 1] = view.strides[d] * sizes[d];
    return view;
  }
  void readIn(double buffer, DType type, const Sizes& sizes) {
    operand(buffer, type, between(generator_, 0, 2) > 0 ? someView(generator_, sizes, true) : dense(sizes));
  }
  void operand(double buffer, DType type, const View& view) {
    types_.push_back(static_cast<double>(static_cast<int>(type)));
    Code::Numbers numbers = {static_cast<double>(view.sizes.size())};
    append(numbers, view.sizes);
    const Code::Numbers place = placed(space_, buffer, type, view);
    numbers.insert(numbers.end(), place.begin(), place.end());
    views_.push_back(numbers);
  }

  Generator& generator_;
  Space& space_;
  const RoutineRow& row_;
  Code::Numbers types_, same_;
  std::vector<Code::Numbers> views_;
};

std::int64_t someSize(Generator& generator) {
  static constexpr std::int64_t choices[] = {0, 1, 1, 2, 3, 4, 5, 17, 70};
  return choices[between(generator, 0, 8)];
}

// The number of indices for each row that scatterAdd adds; 1 for any other routine.
std::int64_t termsOf(Generator& generator, const RoutineRow& row) {
  return std::string(row.name) == "scatterAdd" && between(generator, 0, 2) == 0 ? between(generator, 1, 5)
                                                                                : 1;
}

void addIndexRoutine(Generator& generator, Code& code, Space& space, const RoutineRow& row, DType type,
                     bool along) {
  RoutineSample sample(generator, space, row);
  // Indices from -8 to 8 are in range.
  const std::int64_t n = between(generator, 9, 30), m = someSize(generator);
  const std::int64_t outer = someSize(generator) % 9, inner = someSize(generator);
  const Sizes table = {outer, n, inner}, rows = {outer, m, inner};
  // The memory of an operand that is in place is filled with float32 numbers.
  const bool inPlace = row.inPlace == 0 && type == DType::float32 && between(generator, 0, 1) == 1;
  inPlace ? sample.inPlace(type, table) : sample.read(type, table);
  along ? sample.indices(rows) : sample.indices({m * termsOf(generator, row)});
  if (row.reads == 3) sample.read(type, rows);
  if (inPlace) {
    sample.writeSame(type);
  } else {
    sample.write(type, row.reads == 3 ? table : rows);
  }
  sample.add(code, {static_cast<double>(between(generator, 0, 5))});
}

void addBagRoutine(Generator& generator, Code& code, Space& space, const RoutineRow& row, DType type) {
  RoutineSample sample(generator, space, row);
  const std::int64_t n = between(generator, 9, 30), rows = someSize(generator), terms = someSize(generator),
                     inner = between(generator, 0, 3) > 0 ? someSize(generator) : between(generator, 71, 300);
  sample.read(type, {n, inner});
  sample.indices({rows, terms});
  sample.write(type, {rows, inner});
  sample.add(code, {static_cast<double>(between(generator, 0, 5))});
}

void addLabelRoutine(Generator& generator, Code& code, Space& space, const RoutineRow& row, DType type) {
  RoutineSample sample(generator, space, row);
  // Labels are from -8 to 8.
  const std::int64_t rows = someSize(generator), classes = between(generator, 17, 30);
  sample.read(type, {rows, classes});
  sample.indices({rows});
  sample.write(type, {rows});
  sample.add(code, {8});
}

// The table, if it is not in place, the indices and the rows of scatterAdd, which writes a variable.
void addScatterUpdates(Generator& generator, Code& code, Space& space, const RoutineRow& row, DType type) {
  const std::int64_t n = between(generator, 9, 30), outer = someSize(generator) % 9,
                     inner = someSize(generator);
  const Sizes table = {outer, n, inner};
  RoutineSample first(generator, space, row), second(generator, space, row);
  const auto addRows = [&](RoutineSample& sample) {
    const std::int64_t m = someSize(generator);
    sample.indices({m * termsOf(generator, row)});
    sample.read(type, {outer, m, inner});
  };
  const bool inPlace = between(generator, 0, 2) > 0;
  inPlace ? first.inPlaceIn(space.variableOf(type), type, table) : first.read(type, table);
  addRows(first);
  inPlace ? first.writeSame(type) : first.update(type, table);
  const Code::Numbers axis = {static_cast<double>(between(generator, 0, 5))};
  first.add(code, axis);
  if (between(generator, 0, 1) == 0) return;
  second.readLastOf(first);
  addRows(second);
  second.writeSame(type);
  second.add(code, axis);
}

void addLineRoutine(Generator& generator, Code& code, Space& space, const RoutineRow& row, DType type) {
  RoutineSample sample(generator, space, row);
  const std::string name = row.name;
  const std::int64_t outer = someSize(generator) % 9, inner = someSize(generator);
  // A product of more elements is not finite.
  const bool multiplies = name == "cumprod" || name == "recurrence";
  const std::int64_t least = name == "argmin" ? 1 : 0, most = multiplies ? 17 : 70;
  const std::int64_t n = std::min(most, std::max(least, someSize(generator)));
  const bool indices = name == "argsort" || name == "topK" || name == "argmin";
  const DType result = indices ? DType::int32 : type;
  const bool inPlace = row.inPlace == 0 && type == DType::float32 && between(generator, 0, 1) == 1;
  inPlace ? sample.inPlace(type, {outer, n, inner}) : sample.read(type, {outer, n, inner});
  if (name == "recurrence") sample.read(type, {outer, n, inner});
  if (inPlace) {
    sample.writeSame(type);
  } else if (name == "argmin") {
    sample.write(result, {outer, inner});
  } else {
    sample.write(result, {outer, name == "topK" ? between(generator, 0, n) : n, inner});
  }
  if (row.writes == 2) sample.write(DType::int32, {outer, n, inner});
  sample.add(code, row.integers == 1 ? Code::Numbers{static_cast<double>(between(generator, 0, 1))}
                                     : Code::Numbers{});
}

void addWindowRoutine(Generator& generator, Code& code, Space& space, const RoutineRow& row, DType type) {
  RoutineSample sample(generator, space, row);
  const std::string name = row.name;
  Code::Numbers integers(static_cast<std::size_t>(row.integers));
  const std::int64_t channels = between(generator, 0, 3) > 0 ? between(generator, 0, 5) : 33;
  Sizes plane = {between(generator, 0, 3), channels, 0, 0}, windows = plane;
  for (std::size_t d = 0; d < 2; ++d) {
    const std::int64_t size = between(generator, 1, 4), stride = between(generator, 1, 3);
    std::int64_t dilation = between(generator, 0, 2) > 0 ? 1 : between(generator, 1, 3);
    const std::int64_t length = between(generator, 1, 5) == 5
                                    ? between(generator, 280, 600) / (1 + 20 * (d == 0))
                                    : between(generator, 1, 12);
    // The first window has an element if the padding is less than the extent of a window.
    dilation = std::min(dilation, length);
    const std::int64_t before = between(generator, 0, (size - 1) * dilation);
    // The last window starts before the end.
    const std::int64_t most = (length + before - 1) / stride + 1;
    const std::int64_t count = between(generator, 0, 3) > 0 ? most : between(generator, 0, most);
    plane[2 + d] = length;
    windows[2 + d] = count;
    integers[d] = static_cast<double>(size);
    integers[2 + d] = static_cast<double>(stride);
    integers[4 + d] = static_cast<double>(dilation);
    integers[6 + 2 * d] = static_cast<double>(before);
    integers[7 + 2 * d] = static_cast<double>(between(generator, 0, 3));
  }
  for (std::size_t i = 10; i < integers.size(); ++i)
    integers[i] = static_cast<double>(between(generator, 0, 1));
  if (integers[10] == 1) {
    for (Sizes* sizes : {&plane, &windows}) *sizes = {(*sizes)[0], (*sizes)[2], (*sizes)[3], (*sizes)[1]};
  }
  const bool gradient = name.find("Gradient") != std::string::npos;
  sample.read(type, gradient ? windows : plane);
  // Random indices: some of them are in their windows.
  if (row.reads == 2) sample.indices(windows);
  sample.write(name == "maxPool" ? DType::int32 : type, gradient ? plane : windows);
  sample.add(code, integers);
}

// Adds a convolution or one of its gradients, or the pack of a weight. The packed operand has any numbers.
void addConvRoutine(Generator& generator, Code& code, Space& space, const RoutineRow& row, DType type) {
  RoutineSample sample(generator, space, row);
  const std::string name = row.name;
  const std::int64_t groups = between(generator, 0, 2) > 0 ? 1 : between(generator, 1, 4);
  // Many pixels and few channels, so that the gradient of the weights is the sum of parts of the images.
  const bool parts = name == "convWeightGradient" && between(generator, 0, 11) == 0;
  const bool depthwise = !parts && between(generator, 0, 4) == 0;
  static constexpr std::int64_t sizes[] = {0, 1, 1, 2, 3, 5, 13, 33};
  const auto someChannels = [&] { return depthwise ? 1 : sizes[between(generator, 0, 7)]; };
  ConvShape s = {};
  s.type = type;
  s.groups = depthwise ? sizes[between(generator, 1, 7)] : groups;
  s.channels = someChannels() * s.groups;
  s.outputs = someChannels() * s.groups;
  s.batch = between(generator, 0, 3);
  if (parts) {
    s.channels = s.groups;
    s.outputs = 13 * s.groups;
    s.batch = between(generator, 9, 17);
  }
  Code::Numbers integers(11, static_cast<double>(s.groups));
  int d = 0;
  for (ConvAxis* axis : {&s.rows, &s.columns}) {
    const bool flat = !parts && d == 0 && between(generator, 0, 2) == 0;  // a sequence
    axis->size = flat ? 1 : between(generator, 1, 4);
    axis->stride = parts || between(generator, 0, 2) > 0 ? 1 : between(generator, 1, 5);
    axis->dilation = between(generator, 0, 2) > 0 ? 1 : between(generator, 1, 3);
    axis->length = flat ? 1 : d == 1 && between(generator, 0, 5) == 0 ? 40 : between(generator, 0, 9);
    if (parts) axis->length = between(generator, 26, 34);
    axis->before = between(generator, 0, 3);
    axis->after = between(generator, 0, 3);
    const std::int64_t room =
        axis->length + axis->before + axis->after - (axis->size - 1) * axis->dilation - 1;
    axis->count = room < 0 ? 0 : room / axis->stride + 1;
    const std::int64_t numbers[] = {axis->size, axis->stride, axis->dilation};
    for (int i = 0; i < 3; ++i)
      integers[static_cast<std::size_t>(2 * i + d)] = static_cast<double>(numbers[i]);
    integers[static_cast<std::size_t>(6 + 2 * d)] = static_cast<double>(axis->before);
    integers[static_cast<std::size_t>(7 + 2 * d)] = static_cast<double>(axis->after);
    ++d;
  }
  const Sizes x = {s.batch, s.rows.length, s.columns.length, s.channels};
  const Sizes y = {s.batch, s.rows.count, s.columns.count, s.outputs};
  const Sizes w = {s.outputs, s.groupChannels(), s.rows.size, s.columns.size};
  std::int64_t packed = 0;
  const bool gradient = name == "convPackGradient" || name == "convInputGradient";
  packingOf(s, gradient).elements(packed);
  if (name.find("Pack") != std::string::npos) {
    sample.read(type, w);
    sample.write(type, {packed});
    sample.add(code, gradient
                         ? Code::Numbers{integers[10], integers[2], integers[3], integers[4], integers[5]}
                         : Code::Numbers{integers[10]});
    return;
  }
  sample.read(type, name == "convInputGradient" ? y : x);
  if (name == "convWeightGradient") {
    sample.read(type, y);
  } else {
    sample.readDense(type, {packed});
  }
  sample.write(type, name == "convWeightGradient" ? w : name == "conv" ? y : x);
  sample.add(code, integers);
}

}  // namespace

void addRoutine(Generator& generator, Code& code, Space& space, const RoutineRow& row) {
  DType type = DType::float32;
  do {
    type = static_cast<DType>(between(generator, 0, dtypeCount - 1));
  } while (!row.existsFor(type));
  const std::string name = row.name;
  if (name.find("Pool") != std::string::npos) {
    addWindowRoutine(generator, code, space, row, type);
  } else if (name.find("conv") == 0) {
    addConvRoutine(generator, code, space, row, type);
  } else if (name == "takeLabels") {
    addLabelRoutine(generator, code, space, row, type);
  } else if (name == "gatherSum") {
    addBagRoutine(generator, code, space, row, type);
  } else if (row.reads > 1 && name != "recurrence") {
    addIndexRoutine(generator, code, space, row, type, name.find("Along") != std::string::npos);
  } else {
    addLineRoutine(generator, code, space, row, type);
  }
}

void addUpdates(Generator& generator, Code& code, Space& space, const RoutineRow& row) {
  DType type = DType::float32;
  do {
    type = static_cast<DType>(between(generator, 0, dtypeCount - 1));
  } while (!row.existsFor(type));
  REQUIRE(std::string(row.name) == "scatterAdd");  // the only one
  addScatterUpdates(generator, code, space, row, type);
}

void addSomeUpdates(Generator& generator, Code& code, Space& space) {
  const RoutineRow* row = nullptr;
  while (row == nullptr || !row->updatesLeaves) row = routines[between(generator, 0, routineCount - 1)];
  addUpdates(generator, code, space, *row);
}

void addSomeRoutine(Generator& generator, Code& code, Space& space) {
  addRoutine(generator, code, space, *routines[between(generator, 0, routineCount - 1)]);
}

}  // namespace forebay::test
