#include "test/row_group_plain.h"

#include <array>
#include <cmath>

namespace forebay::test {

namespace {

// The elements of a value in one row: one for each column, or one for the row.
struct RowOf {
  DType type;
  bool perRow;
  std::vector<std::array<char, 8>> elements;

  char* at(std::int64_t column) { return elements[perRow ? 0 : static_cast<std::size_t>(column)].data(); }
};

double number(DType type, const char* at) {
  if (type == DType::float64) return *reinterpret_cast<const double*>(at);
  return static_cast<double>(*reinterpret_cast<const float*>(at));
}

void setNumber(DType type, char* at, double value) {
  if (type == DType::float64) {
    *reinterpret_cast<double*>(at) = value;
  } else {
    *reinterpret_cast<float*>(at) = static_cast<float>(value);
  }
}

class PlainRows {
 public:
  PlainRows(const double* numbers, Memory& memory) : next_(numbers), memory_(memory) {}

  void run() {
    const std::vector<std::int64_t> counts = take(6);
    rank_ = static_cast<std::size_t>(counts[1]);
    for (std::int64_t i = 0; i < counts[2]; ++i) loads_.push_back(take(2));
    for (std::int64_t i = 0; i < counts[3]; ++i) steps_.push_back(take(5));
    for (std::int64_t i = 0; i < counts[4]; ++i) stores_.push_back(take(2));
    for (std::int64_t i = 0; i < counts[5]; ++i) closes_.push_back(take(3));
    for (std::int64_t segment = 0; segment < counts[0]; ++segment) runSegment();
  }

 private:
  struct Operand {
    char* data;
    std::vector<std::int64_t> strides;
  };

  std::vector<std::int64_t> take(std::int64_t count) {
    std::vector<std::int64_t> list;
    for (std::int64_t i = 0; i < count; ++i) list.push_back(static_cast<std::int64_t>(*next_++));
    return list;
  }

  Operand operand(std::size_t strides) {
    const std::vector<std::int64_t> at = take(2);
    char* const data = memory_.start(static_cast<double>(at[0])) + at[1];
    return {data, take(static_cast<std::int64_t>(strides))};
  }

  void runSegment() {
    const std::vector<std::int64_t> sizes = take(static_cast<std::int64_t>(rank_) + 1);
    columns_ = sizes[rank_];
    std::vector<Operand> from, to, into;
    for (std::size_t i = 0; i < loads_.size(); ++i) from.push_back(operand(rank_ + 1));
    for (std::size_t i = 0; i < stores_.size(); ++i) to.push_back(operand(rank_ + 1));
    for (std::size_t i = 0; i < closes_.size(); ++i) into.push_back(operand(1));
    std::vector<std::vector<double>> totals(closes_.size(),
                                            std::vector<double>(static_cast<std::size_t>(columns_)));
    std::int64_t rows = 1;
    for (std::size_t d = 0; d < rank_; ++d) rows *= sizes[d];
    for (std::int64_t row = 0; row < rows; ++row) {
      std::vector<std::int64_t> position(rank_);
      std::int64_t rest = row;
      for (std::size_t d = rank_; d-- > 0; rest /= sizes[d]) position[d] = rest % sizes[d];
      runRow(position, from, to, totals);
    }
    for (std::size_t i = 0; i < closes_.size(); ++i) {
      const auto type = static_cast<DType>(closes_[i][1]);
      for (std::int64_t j = 0; j < (closes_[i][0] != 0 ? columns_ : 1); ++j) {
        setNumber(type, into[i].data + j * into[i].strides[0] * static_cast<std::int64_t>(sizeOf(type)),
                  totals[i][static_cast<std::size_t>(j)]);
      }
    }
  }

  void runRow(const std::vector<std::int64_t>& position, const std::vector<Operand>& from,
              const std::vector<Operand>& to, std::vector<std::vector<double>>& totals) {
    const auto addressOf = [&](const Operand& operand, DType type, std::int64_t column) {
      std::int64_t index = column * operand.strides[rank_];
      for (std::size_t d = 0; d < rank_; ++d) index += position[d] * operand.strides[d];
      return operand.data + index * static_cast<std::int64_t>(sizeOf(type));
    };
    values_.clear();
    for (std::size_t i = 0; i < loads_.size(); ++i) {
      RowOf& value = add(static_cast<DType>(loads_[i][0]), loads_[i][1] != 0);
      for (std::int64_t j = 0; j < count(value); ++j) {
        std::memcpy(value.at(j), addressOf(from[i], value.type, j), sizeOf(value.type));
      }
    }
    for (const std::vector<std::int64_t>& step : steps_) runStep(step);
    for (std::size_t i = 0; i < stores_.size(); ++i) {
      RowOf& value = values_[static_cast<std::size_t>(stores_[i][1])];
      for (std::int64_t j = 0; j < count(value); ++j) {
        std::memcpy(addressOf(to[i], value.type, j), value.at(j), sizeOf(value.type));
      }
    }
    for (std::size_t i = 0; i < closes_.size(); ++i) {
      RowOf& value = values_[static_cast<std::size_t>(closes_[i][2])];
      for (std::int64_t j = 0; j < count(value); ++j) {
        totals[i][closes_[i][0] != 0 ? static_cast<std::size_t>(j) : 0] += number(value.type, value.at(j));
      }
    }
  }

  std::int64_t count(const RowOf& value) const { return value.perRow ? 1 : columns_; }

  RowOf& add(DType type, bool perRow) {
    values_.push_back({type, perRow, {}});
    values_.back().elements.resize(static_cast<std::size_t>(perRow ? 1 : columns_));
    return values_.back();
  }

  void runStep(const std::vector<std::int64_t>& step) {
    const Kernel& kernel = chosen().body->kernels[step[0]];
    const auto type = static_cast<DType>(step[1]);
    if (kernel.family == Family::reduce) return runReduction(*kernel.routine(type).fold, type, step[2]);
    bool perRow = true;
    for (int k = 0; k < kernel.arity; ++k) {
      perRow = perRow && values_[static_cast<std::size_t>(step[static_cast<std::size_t>(2 + k)])].perRow;
    }
    RowOf& out = add(kernel.resultType(type), perRow);
    for (std::int64_t j = 0; j < count(out); ++j) {
      const void* in[maxArity] = {};
      for (int k = 0; k < kernel.arity; ++k) {
        in[k] = values_[static_cast<std::size_t>(step[static_cast<std::size_t>(2 + k)])].at(j);
      }
      kernel.routine(type).tile()(out.at(j), in, 1);
    }
  }

  void runReduction(const Fold& fold, DType type, std::int64_t from) {
    RowOf& out = add(type, true);
    RowOf& in = values_[static_cast<std::size_t>(from)];
    double sum = 0, best = -INFINITY;
    for (std::int64_t j = 0; j < columns_; ++j) {
      const double element = number(type, in.at(j));
      sum += element;
      if (element > best) best = element;
    }
    setNumber(type, out.at(0), fold.kind == Fold::Kind::sum ? sum : best);
  }

  const double* next_;
  Memory& memory_;
  std::size_t rank_ = 0;
  std::int64_t columns_ = 0;
  std::vector<std::vector<std::int64_t>> loads_, steps_, stores_, closes_;
  std::vector<RowOf> values_;
};

}  // namespace

void runRowGroupPlainly(const double* numbers, Memory& memory) { PlainRows(numbers, memory).run(); }

}  // namespace forebay::test
