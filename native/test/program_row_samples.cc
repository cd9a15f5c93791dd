// Makes random row groups.
#include "test/program_samples.h"

namespace forebay::test {

namespace {

using Numbers = Code::Numbers;

struct Drawn {
  DType type;
  bool perRow;
};

DType floatOf(std::int64_t draw) { return draw < 6 ? DType::float32 : DType::float64; }
double numberOf(DType type) { return static_cast<double>(static_cast<int>(type)); }

// Draws random steps over values. All results are integers, and no sum is rounded, so that any order of
// additions gives the same bits.
class RowSteps {
 public:
  // If `sums` is false, no row is added up, so that the values need not be integers.
  RowSteps(Generator& generator, bool sums) : generator_(generator), sums_(sums ? 0 : 2) {}

  std::vector<Drawn> values;
  Numbers numbers;
  double count = 0;

  // Returns a random value of this dtype, or -1 if there is none. If `full` is true, the value is full.
  double some(DType type, bool full) {
    std::vector<double> choices;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i].type == type && !(full && values[i].perRow)) choices.push_back(static_cast<double>(i));
    }
    if (choices.empty()) return -1;
    // The last values are more likely, so that steps form long chains.
    const auto last = static_cast<std::int64_t>(choices.size()) - 1;
    return choices[static_cast<std::size_t>(
        std::max(between(generator_, 0, last), between(generator_, 0, last)))];
  }

  bool isMask(std::size_t value) const {
    return values[value].type == DType::mask32 || values[value].type == DType::mask64;
  }

  void add() {
    static constexpr const char* names[] = {"copy", "add",     "sub",     "neg",     "abs",   "sign", "mul",
                                            "relu", "maximum", "minimum", "greater", "equal", "where"};
    const DType type = floatOf(between(generator_, 0, 8));
    const std::int64_t draw = between(generator_, 0, 19);
    if (draw < 6) return reduceRows(type, draw < 3 ? "sum" : "max");
    if (draw == 6) {
      static constexpr DType types[] = {DType::float32, DType::float64, DType::mask32, DType::mask64};
      return add(Family::cast, nameOf(types[between(generator_, 0, 3)]), types[between(generator_, 0, 3)]);
    }
    const char* name = names[between(generator_, 0, 12)];
    if (std::string(name) == "mul" && ++products_ > 1) name = "sub";
    add(Family::map, name, type);
  }

 private:
  void add(Family family, const char* name, DType type) {
    const Kernel& kernel = kernelOf(*chosen().body, family, name);
    Numbers step = {idOf(family, name), numberOf(type), -1, -1, -1};
    bool perRow = true;
    for (int k = 0; k < kernel.arity; ++k) {
      const double in = some(kernel.inputType(type, k), false);
      if (in < 0) return;
      step[static_cast<std::size_t>(2 + k)] = in;
      perRow = perRow && values[static_cast<std::size_t>(in)].perRow;
    }
    numbers.insert(numbers.end(), step.begin(), step.end());
    values.push_back({kernel.resultType(type), perRow});
    ++count;
  }

  // A sum may be added up again, but only once, so that it stays below 2^24.
  void reduceRows(DType type, const char* name) {
    const double in = some(type, true);
    if (in < 0) return;
    if (std::string(name) == "sum" && ++sums_ > 2) name = "max";
    numbers.insert(numbers.end(), {idOf(Family::reduce, name), numberOf(type), in, -1, -1});
    values.push_back({type, true});
    ++count;
  }

  Generator& generator_;
  int products_ = 0, sums_;
};

}  // namespace

void addSomeRowGroup(Generator& generator, Code& code, Space& space) {
  const bool draws = between(generator, 0, 2) == 0;
  RowSteps steps(generator, !draws);
  const std::int64_t loadCount = between(generator, 1, 4);
  Numbers loads, stores, closes;
  for (std::int64_t i = 0; i < loadCount; ++i) {
    const Drawn load = {floatOf(between(generator, 0, 8)), i > 0 && between(generator, 0, 3) == 0};
    steps.values.push_back(load);
    loads.insert(loads.end(), {numberOf(load.type), load.perRow ? 1.0 : 0.0});
  }
  for (std::int64_t i = between(generator, 0, 14); i > 0; --i) steps.add();
  std::vector<std::size_t> stored;
  for (std::int64_t i = between(generator, 1, 3); i > 0; --i) {
    const auto picked =
        static_cast<std::size_t>(between(generator, 0, static_cast<std::int64_t>(steps.values.size()) - 1));
    // Memory has no masks. Load 0 is a float.
    const std::size_t value = steps.isMask(picked) ? 0 : picked;
    stored.push_back(value);
    stores.insert(stores.end(), {numberOf(steps.values[value].type), static_cast<double>(value)});
  }
  std::vector<double> closed;
  for (std::int64_t i = draws ? 0 : between(generator, 0, 2); i > 0; --i) {
    const DType type = floatOf(between(generator, 0, 8));
    const bool columns = between(generator, 0, 1) == 0;
    const double value = steps.some(type, columns);
    if (value < 0) continue;
    closes.insert(closes.end(), {columns ? 1.0 : 0.0, numberOf(type), value});
  }
  const std::int64_t rank = between(generator, 0, 3), segments = between(generator, 1, 2);
  Numbers segmentNumbers;
  for (std::int64_t s = 0; s < segments; ++s) {
    static constexpr std::int64_t widths[] = {1,  2,  3,   5,   16,  17,   32,   40,
                                              63, 64, 100, 256, 600, 1024, 1300, 2100};
    const std::int64_t columns = widths[between(generator, 0, 15)];
    std::vector<std::int64_t> sizes;
    std::int64_t count = columns;
    for (std::int64_t d = 0; d < rank; ++d) {
      static constexpr std::int64_t heights[] = {0, 1, 1, 2, 3, 5, 8, 33, 70};
      std::int64_t size = heights[between(generator, between(generator, 0, 3) > 0 ? 1 : 0, 8)];
      if (count * size > 9000) size = 1;
      count *= std::max<std::int64_t>(size, 1);
      sizes.push_back(size);
    }
    std::vector<std::int64_t> all = sizes;
    all.push_back(columns);
    segmentNumbers.insert(segmentNumbers.end(), all.begin(), all.end());
    const auto place = [&](double buffer, const Drawn& value, bool read) {
      Numbers at =
          placed(space, buffer, value.type, someView(generator, value.perRow ? sizes : all, read, true));
      if (value.perRow) at.push_back(0);
      segmentNumbers.insert(segmentNumbers.end(), at.begin(), at.end());
    };
    for (std::int64_t i = 0; i < loadCount; ++i) {
      const Drawn& load = steps.values[static_cast<std::size_t>(i)];
      place(space.loadable(generator, load.type, draws), load, true);
    }
    for (const std::size_t value : stored) place(space.inArena(), steps.values[value], false);
    for (std::size_t c = 0; c < closes.size(); c += 3) {
      const auto type = static_cast<DType>(static_cast<int>(closes[c + 1]));
      const std::int64_t results = closes[c] != 0 ? columns : 1,
                         step = closes[c] != 0 ? between(generator, 1, 2) : 0;
      segmentNumbers.insert(segmentNumbers.end(),
                            {space.inArena(),
                             space.take(space.inArena(), type,
                                        static_cast<std::size_t>(results * std::max<std::int64_t>(step, 1))),
                             static_cast<double>(step)});
    }
  }
  code.add(rowGroup,
           {{static_cast<double>(segments), static_cast<double>(rank), static_cast<double>(loadCount),
             steps.count, static_cast<double>(stored.size()), static_cast<double>(closes.size() / 3)},
            loads,
            steps.numbers,
            stores,
            closes,
            segmentNumbers});
}

}  // namespace forebay::test
