// Decodes the code of a program, and checks it.
#include <algorithm>
#include <thread>

#include "program/code.h"
#include "program/pool.h"
#include "program/state.h"

namespace forebay {

bool Program::State::decode(Reader& reader, const LeafMemory* leaves, std::size_t leafCount) {
  Operands operands(reader, buffers);
  if (!readHeader(reader) || !readBuffers(reader, leaves, leafCount) || !readOutputs(operands) ||
      !readInstructions(operands) || !reader.end() || !checkDirect(reader) || !checkWindows(reader)) {
    return false;
  }
  numbers = operands.numbers();
  outputsFirst = operands.arenaWritten();
  return allocate(reader);
}

bool Program::State::readHeader(Reader& reader) {
  std::int64_t number = 0, bufferCount = 0, instructionCount = 0, start = 0, outputCount = 0, once = 0;
  if (!reader.integer({nullptr, -1, "the version"}, number)) return false;
  if (number != codeVersion) {
    return reader.refuse("the version is %lld, expected %lld", static_cast<long long>(number),
                         static_cast<long long>(codeVersion));
  }
  // The length of the code limits each count, so that it also limits the memory that is allocated.
  if (!reader.integer({nullptr, -1, "the number of buffers"}, bufferCount, reader.left()) ||
      !reader.integer({nullptr, -1, "the number of instructions"}, instructionCount, reader.left()) ||
      !reader.integer({nullptr, -1, "the start of the writes"}, start, instructionCount) ||
      !reader.integer({nullptr, -1, "the number of outputs"}, outputCount, reader.left()) ||
      !reader.integer({nullptr, -1, "the number of instructions that run once"}, once, start)) {
    return false;
  }
  onceCount = static_cast<std::size_t>(once);
  writeStart = static_cast<std::size_t>(start);
  const bool allocated = buffers.allocate(static_cast<std::size_t>(bufferCount)) &&
                         bases.allocate(static_cast<std::size_t>(bufferCount)) &&
                         outputs.allocate(static_cast<std::size_t>(outputCount)) &&
                         instructions.allocate(static_cast<std::size_t>(instructionCount));
  return allocated || reader.outOfMemory("the lists of the program");
}

bool Program::State::readBuffer(Reader& reader, std::size_t index) {
  const auto number = static_cast<std::int64_t>(index);
  std::int64_t kind = 0;
  Buffer& buffer = buffers[index];
  if (!reader.integer({"buffer", number, "the kind"}, kind, 7)) return false;
  if (!reader.integer({"buffer", number, "the size"}, buffer.bytes)) return false;
  buffer.kind = static_cast<Buffer::Kind>(kind);
  buffer.alignment = 1;
  buffer.touched = false;
  if (buffer.kind == Buffer::Kind::draw && !readDraw(reader, number, buffer)) return false;
  if ((buffer.kind == Buffer::Kind::arena) == (index == 0)) return true;
  return reader.refuse("buffer %zu is %s, expected buffer 0 and no other to be the arena", index,
                       nameOf(buffer.kind));
}

bool Program::State::readDraw(Reader& reader, std::int64_t index, Buffer& buffer) {
  const Body& body = *chosen().body;
  std::int64_t id = 0, seed = 0;
  if (!reader.integer({"buffer", index, "the kernel"}, id, static_cast<std::int64_t>(body.kernelCount) - 1) ||
      !reader.dtype({"buffer", index, "the dtype"}, buffer.type) ||
      !reader.integer({"buffer", index, "the seed"}, seed)) {
    return false;
  }
  const Kernel& kernel = body.kernels[id];
  if (kernel.family != Family::random) {
    return reader.refuse("the kernel of buffer %lld is '%s' of family %s, expected random",
                         static_cast<long long>(index), kernel.name, nameOf(kernel.family));
  }
  if (!kernel.routine(buffer.type)) {
    return reader.refuse("the kernel of buffer %lld, '%s', does not exist for %s",
                         static_cast<long long>(index), kernel.name, nameOf(buffer.type));
  }
  buffer.draw = {kernel.routine(buffer.type).fill, static_cast<std::uint64_t>(seed),
                 static_cast<std::int32_t>(sizeOf(buffer.type))};
  return true;
}

bool Program::State::placeKept(Reader& reader, std::size_t index) {
  for (std::size_t i = 0; i < index; ++i) {
    if (buffers[i].kind == Buffer::Kind::kept) {
      return reader.refuse("buffers %zu and %zu are kept values, expected at most one", i, index);
    }
  }
  const std::size_t bytes = kept != nullptr ? kept->bytes() : 0;
  if (bytes < static_cast<std::size_t>(buffers[index].bytes)) {
    return reader.refuse("buffer %zu is %lld bytes of kept values, but %zu were passed", index,
                         static_cast<long long>(buffers[index].bytes), bytes);
  }
  bases[index] = kept != nullptr ? kept->data() : nullptr;
  return true;
}

bool Program::State::readBuffers(Reader& reader, const LeafMemory* leaves, std::size_t leafCount) {
  if (buffers.size() == 0) return reader.refuse("it has no buffers, expected at least the arena");
  std::size_t leaf = 0, feedCount = 0;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    Buffer& buffer = buffers[i];
    if (!readBuffer(reader, i)) return false;
    if (buffer.kind == Buffer::Kind::feed) ++feedCount;
    if (buffer.kind == Buffer::Kind::kept && !placeKept(reader, i)) return false;
    if (buffer.kind != Buffer::Kind::variable && buffer.kind != Buffer::Kind::constant) continue;
    if (leaf == leafCount)
      return reader.refuse("buffer %zu is leaf %zu, but %zu were passed", i, leaf, leafCount);
    if (leaves[leaf].bytes < static_cast<std::size_t>(buffer.bytes)) {
      return reader.refuse("buffer %zu is leaf %zu and has %lld bytes, but the memory of the leaf has %zu", i,
                           leaf, static_cast<long long>(buffer.bytes), leaves[leaf].bytes);
    }
    buffer.data = static_cast<const char*>(leaves[leaf].data);
    bases[i] = static_cast<char*>(leaves[leaf].data);
    ++leaf;
  }
  if (leaf != leafCount) return reader.refuse("it has %zu leaves, but %zu were passed", leaf, leafCount);
  if (!feeds.allocate(feedCount)) return reader.outOfMemory("the lists of the program");
  std::size_t* next = feeds.data();
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].kind == Buffer::Kind::feed) *next++ = i;
  }
  return true;
}

bool Program::State::readOutputs(Operands& operands) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto index = static_cast<std::int64_t>(i);
    Output& output = outputs[i];
    const std::int64_t stride = 1;
    Extent extent;
    if (!operands.reader().dtype({"output", index, "the dtype"}, output.type) ||
        !operands.reader().integer({"output", index, "the count"}, output.count) ||
        !operands.locate("output", index, Access::read, output.type, output.location) ||
        !operands.view("output", index, Access::read, output.type, output.location, &output.count, &stride, 1,
                       extent)) {
      return false;
    }
    Buffer& buffer = buffers[output.location.buffer];
    // The first output in a buffer of kind output owns it. Later ones are copied from there.
    if (buffer.kind != Buffer::Kind::output || buffer.owned) continue;
    const std::int64_t bytes = output.count * static_cast<std::int64_t>(sizeOf(output.type));
    if (output.location.offset != 0 || bytes != buffer.bytes) {
      return operands.reader().refuse(
          "output %zu has %lld bytes at offset %lld of buffer %u, expected all its %lld", i,
          static_cast<long long>(bytes), static_cast<long long>(output.location.offset),
          output.location.buffer, static_cast<long long>(buffer.bytes));
    }
    buffer.owned = output.direct = true;
    output.spare = spareBytes;
    spareBytes += padded(static_cast<std::size_t>(bytes));
  }
  return true;
}

bool Program::State::readInstructions(Operands& operands) {
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    if (i == 0 && onceCount > 0) operands.onceBegins();
    if (i == onceCount) operands.onceEnds();
    if (i == writeStart) operands.writesBegin();
    const bool before = operands.outputWritten();
    instructions[i] = readInstruction(operands);
    if (!instructions[i]) return false;
    const Instruction::Failure failure = instructions[i]->failure();
    failsLate = failsLate || (before && failure != Instruction::Failure::never) ||
                (operands.outputWritten() && failure == Instruction::Failure::whileWriting);
  }
  return true;
}

// Checks the buffers of kind output, when all their operands are known.
bool Program::State::checkDirect(Reader& reader) const {
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].kind == Buffer::Kind::output && !buffers[i].owned) {
      return reader.refuse("buffer %zu is an output, but no output has it", i);
    }
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::size_t size = sizeOf(outputs[i].type);
    const std::size_t used = buffers[outputs[i].location.buffer].alignment;
    if (outputs[i].direct && used > size) {
      return reader.refuse("the buffer of output %zu has elements of %zu bytes, but the output of %zu", i,
                           used, size);
    }
  }
  return true;
}

bool Program::State::checkWindows(Reader& reader) const {
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].kind == Buffer::Kind::window && !buffers[i].window.defined) {
      return reader.refuse("buffer %zu is a window, but no loop defines it", i);
    }
  }
  return true;
}

bool Program::State::allocate(Reader& reader) {
  if (!arena->add(need, static_cast<std::size_t>(buffers[0].bytes))) return reader.outOfMemory("the arena");
  // The pages are not resident until a run needs them.
  if (!spare.allocate(spareBytes)) return reader.outOfMemory("outputs");
  // Allocates scratch for the largest number of threads that a run can have. Pages that are not used are
  // never resident.
  const int machine = static_cast<int>(std::min(std::thread::hardware_concurrency(), 1u << 16));
  slots = std::min(std::max(Pool::instance().threads(), machine), Pool::maxThreads);
  std::size_t bytes = 0, copied = 0;
  for (const auto& instruction : instructions) bytes = std::max(bytes, instruction->scratchBytes());
  scratchPitch = padded(bytes);
  if (!scratch.allocate(scratchPitch * static_cast<std::size_t>(slots))) return reader.outOfMemory("scratch");
  if (!allocateShared(reader)) return false;
  for (const Buffer& buffer : buffers) {
    if (buffer.copied) copied += padded(static_cast<std::size_t>(buffer.bytes));
  }
  if (!copies.allocate(copied)) return reader.outOfMemory("copies of variables");
  for (const auto& instruction : instructions) instruction->attach(scratch.data());
  return true;
}

bool Program::State::allocateShared(Reader& reader) {
  for (std::size_t i = 0; i < writeStart; ++i) {
    sharedBytes = std::max(sharedBytes, instructions[i]->sharedBytes());
  }
  sharedBytes = padded(sharedBytes);
  if (!ownShared.allocate(instructions.size() - writeStart)) {
    return reader.outOfMemory("the lists of the program");
  }
  for (std::size_t i = writeStart; i < instructions.size(); ++i) {
    ownShared[i - writeStart] = sharedBytes;
    sharedBytes += padded(instructions[i]->sharedBytes());
  }
  return shared.allocate(sharedBytes) || reader.outOfMemory("scratch");
}

}  // namespace forebay
