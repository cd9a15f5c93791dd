#include "binding/routine.h"

#include "binding/call.h"
#include "binding/program.h"
#include "program/instruction.h"
#include "program/pool.h"
#include "routines/routine.h"

namespace forebay {

namespace {

// The arguments of a call, as the memory and the buffers of a program with one instruction.
class RoutineArguments {
 public:
  explicit RoutineArguments(Call& call) : call_(call) {}

  bool read() {
    if (!call_.atLeast(firstArray) || !call_.body(body_) || !call_.array(1, "the report", report_))
      return false;
    if (report_.dtype != DType::float64 || report_.length != failureNumbers) {
      return call_.fault().argument("routine: the report is %s of %zu, expected float64 of %zu",
                                    nameOf(report_.dtype), report_.length, failureNumbers);
    }
    const std::size_t count = call_.count() - firstArray;
    if (count == 0 || count > maxRoutineOperands) {
      return call_.fault().argument("routine: received %zu arrays, expected 1 to %d", count,
                                    maxRoutineOperands);
    }
    if (!call_.geometry(0, geometry_, length_)) return false;
    if (!buffers_.allocate(count)) return noMemory();
    for (std::size_t i = 0; i < count; ++i) {
      Array array;
      if (!call_.array(firstArray + i, "an operand", array)) return false;
      data_[i] = static_cast<char*>(array.data);
      const auto bytes = static_cast<std::int64_t>(array.length * sizeOf(array.dtype));
      buffers_[i] = {Buffer::Kind::arena, bytes, data_[i], 1, false};
    }
    return true;
  }

  // Returns false if the call was refused or failed. Sets `failed` to true in the second case.
  bool run(bool& failed) {
    Reader reader(geometry_, length_, call_.fault(), "routine");
    Operands operands(reader, buffers_);
    const std::unique_ptr<Instruction> instruction = decodeRoutine(operands, *body_);
    if (!instruction || !reader.end()) return false;
    const int threads = Pool::instance().threads();
    AlignedBytes scratch, shared;
    constexpr std::size_t unit = AlignedBytes::alignment;
    const std::size_t pitch = (instruction->scratchBytes() + unit - 1) / unit * unit;
    if (!scratch.allocate(pitch * static_cast<std::size_t>(threads)) ||
        !shared.allocate(instruction->sharedBytes())) {
      return noMemory();
    }
    RunFailure failure;
    const Running running = {data_, buffers_.data(), scratch.data(), pitch,   shared.data(), threads,
                             0,     false,           false,          &failure};
    if (instruction->prepare(running) && instruction->run(running)) return true;
    failed = true;
    writeFailure(failure, static_cast<double*>(report_.data));
    return false;
  }

 private:
  static constexpr std::size_t firstArray = 2;
  bool noMemory() { return call_.fault().memory("routine: there is no memory left"); }

  Call& call_;
  const Body* body_ = nullptr;
  const double* geometry_ = nullptr;
  std::size_t length_ = 0;
  Array report_{};
  Items<Buffer> buffers_;
  char* data_[maxRoutineOperands] = {};
};

}  // namespace

napi_value routine(napi_env env, napi_callback_info info) {
  Call call(env, info, "routine");
  RoutineArguments arguments(call);
  bool failed = false;
  if (arguments.read()) static_cast<void>(arguments.run(failed));
  napi_value result = nullptr;
  if (napi_get_boolean(env, !failed, &result) != napi_ok) result = nullptr;
  return call.finish(result);
}

}  // namespace forebay
