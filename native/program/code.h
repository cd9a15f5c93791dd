// The format of the code of a program, and the table of opcodes. The code is a list of doubles. Each double
// is an integer from 0 to 2^53 - 1, except that strides of groups and copies and steps of windows may be
// negative, and that an input register that is not used is -1 (see group below).
//
// A location is [buffer, byteOffset]. The offset must be a multiple of the size of an element. Strides are in
// elements. The stride of an operand that is read may be 0. A negative stride leads to elements before the
// location, which must also be in the buffer. The dtypes are 0 float32, 1 float64, 2 int32,
// 3 bool and 4 uint8. A bool in memory is a byte: 0 is false, and every other byte is true. The registers of
// groups also hold masks, which are bools that are words: 5 of 32 bits, and 6 of 64 bits. A kernel is given
// by its index in the kernel table.
//
//   header        version (1), bufferCount, instructionCount, writeStart, outputCount, onceCount
//   buffers       [kind, bytes] for each buffer. Kinds: 0 arena, 1 variable, 2 constant, 3 feed, 4 output,
//                 5 kept values, 6 draw, 7 window.
//                 Buffer 0, and no other buffer, is the arena (arena.h), which is 64-byte
//                 aligned and not initialized. Kinds 1 and 2 are leaves. They are passed to create() in the
//                 order of their buffers. Feeds are passed to every run. A buffer of kind 4 is the caller's
//                 memory for one output, which the buffer must contain exactly: at offset 0, all its bytes.
//                 A buffer of kind 5, of which there is at most one, is 64-byte aligned memory that is passed
//                 to create() (kept.h). Its elements survive from run to run.
//                 A buffer of kind 6 is a draw: random numbers that have no memory. It has three more
//                 numbers, [6, bytes, kernel, dtype, seed]. Only loads of groups and row groups can be in it.
//                 They have its dtype, and read the elements that the instruction random would write.
//                 A buffer of kind 7 is a window. It has no memory of its own: exactly one loop defines
//                 where it begins in each iteration (see loop below). Only the instructions of this loop, and
//                 those of loops within it, may access it.
//   outputs       [dtype, count, location] for each output. The elements of an output are contiguous. They
//                 are copied to the caller's memory before instruction writeStart, so outputs are computed
//                 from the old values of the leaves. An output in a buffer of kind 4 is there already.
//   instructions  [opcode, length, …] for each instruction. The length is the count of all numbers of
//                 the instruction, opcode and length included. The counts in the header do not count the
//                 instructions of loops. In failures and profiles, the number of an instruction counts all
//                 instructions before it in the code, those of loops included: a loop has a number, and the
//                 instructions of its body follow.
//
// The first onceCount instructions run once: in the first run, and in the first run after a variable that
// they read has changed. onceCount is at most writeStart. These instructions may not be draws or loops, and
// may not access feeds and outputs. Only they may write kept values, and every instruction may read them.
// Their results in the arena do not survive the run.
//
// Only instruction writeStart and the instructions after it may write variables. Each of them must be a copy,
// a group without closes, or a routine whose row says that it updates leaves. Only the instructions before it
// may write outputs, in elements of at most the size of the output's. Constants and feeds are never written.
// Operands may overlap only as described below. Any other overlap makes values unspecified. No instruction
// accesses memory outside its buffers. The overlap of operands in windows is that of their memory in the same
// iteration. It is known exactly if both windows move alike (along the same loops, with the same steps and
// periods), or have at most 4 positions each. Otherwise, all memory that a window has in any iteration counts
// as the memory of an operand in it. Two operands have the same location if this is true in all iterations.
//
// 1 group: a fused loop of element-wise steps over registers. A register holds some elements of one value. A
//   load reads an operand into a register, a step computes a register from up to three registers, and a store
//   writes a register to an operand. The group runs once for each segment. A segment has its own sizes and
//   operands.
//
//   [1, length, segmentCount, rank (at most 32), registerCount, loadCount, stepCount, storeCount,
//    closeCount, loads [dtype, register],
//    steps [kernel, type of the inputs, register, 3 input registers (-1: not used)],
//    stores [dtype, register], closes [dtype, register],
//    segments [sizes, loads [location, strides], stores [location, strides], closes [location]]]
//   The type of a step is a dtype or the type of a mask. A comparison of type T makes a bool beside elements
//   of T: a mask of 32 or 64 bits if T has 4 or 8 bytes, and otherwise a byte. `where` reads such a bool as
//   input 0. Segments are independent of each other. A store may have the same location and strides as a load
//   (in place). A close stores the sum of all elements of a value in a segment. The sum is accumulated in
//   double and rounded once. Its bits do not depend on the number of threads.
//
// 2 product: C = A B or C += A B
//   [2, length, dtype, m, n, k, accumulate, A [location, rowStride, columnStride], B [the same],
//    C [location, rowStride]]
//   In A, and also in B, one axis has stride 1 or an extent of at most 1. The stride of the other axis is at
//   least the extent of the first axis, unless its own extent is at most 1. C has no element in common with A
//   or B.
//
// 3 pack: packs a k x n matrix into panels (kernels/gemm.h), which must be in the arena or among the kept
//   values, 64-byte aligned
//   [3, length, dtype, k, n, panels [location], pieceCount,
//    pieces [kStart, nStart, kCount, nCount, location, kStride, nStride]]
//
// 4 packed product: like product, but B was packed into panels
//   [4, length, dtype, m, n, k, accumulate, A [location, rowStride, columnStride], B [location],
//    C [location, rowStride]]
//
// 5 reduce: see kernels/reduce.h
//   [5, length, kernel, dtype, keptRank, reducedRank, kept sizes, reduced sizes,
//    output [location, kept strides], input [location, kept strides, reduced strides]]
//
// 6 batch product: see kernels/product.h
//   [6, length, dtype, accumulate, batchRank, batch sizes, m, n, k, transA, transB, lda, ldb, ldc,
//    A [location, batch strides], B [the same], C [the same]]
//
// 7 random: draws random numbers; they depend on the seed and on the index of the run
//   [7, length, kernel, dtype, seed, count, location]
//
// 8 copy: copies a view
//   [8, length, dtype, rank, sizes, from [location, strides], to [location, strides]]
//
// 9 routine: a call of a row of the routine table; the files in routines/ describe the operands and integers
//   [9, length, routine, dtypes of the reads and of the writes,
//    reads [rank (at most 8), sizes, location, strides], writes [the same], integers]
//   The row gives the numbers of reads, writes and integers. A written view is dense: row-major, without
//   gaps. A write has no memory in common with a read or another write. One exception: the first write may be
//   the same view as the read `inPlace` of the row. A routine that reads indices fails if one of them is out
//   of range. Then the run ends before outputs and leaves are written. So a routine at or after writeStart
//   reads its indices before the first write, and must write a variable. No instruction at or after
//   writeStart may write these indices.
//
// 10 row group: a fused loop over whole rows. The values are numbered: loads first, then the results of
// steps. A
//   value has an element for each element of the loop (it is full), or one element for each row.
//
//   [10, length, segmentCount, rank of the rows (at most 32), loadCount, stepCount, storeCount, closeCount,
//    loads [dtype, flag: one element for each row],
//    steps [kernel, type of the inputs, 3 input values (-1: not used)],
//    stores [dtype, value], closes [flag: one result for each column, dtype, value],
//    segments [sizes of the rows, columns (at least 1), loads [location, strides of the rows, column stride],
//              stores [the same], closes [location, column stride]]]
//   The kernel of a step is a map, a cast, or a reduction: sum or max. A reduction reads a full value, and
//   its result has one element for each row. The result of another step is full if one of its inputs is full.
//   The column stride of an operand with one element for each row is 0. Sums are accumulated in double and
//   rounded once. A close stores the sum of all elements of a value in a segment, or the sum of the rows of a
//   full value. Its bits do not depend on the number of threads. A store may have the same location and
//   strides as a full load that no other store, no close, and no step or reduction after the step of the
//   stored value reads. The phase of a load is 0. The phase of a
//   reduction is that of its input, plus 1, and the phase of any other step is the highest phase of its
//   inputs. A step is executed in its phase, and a reduction at the end of the phase of its input.
//
// 11 loop: executes instructions several times. It may not be at or after writeStart.
//   [11, length, count, windowCount, windows [buffer, parent [buffer, byteOffset], step, period],
//    instructionCount, instructions [first, end, opcode, length, …]]
//   In iteration n, from 0 to count - 1, a window begins at byte byteOffset + step * n of its parent, or, if
//   the period is not 0, at byte byteOffset + step * (n mod period). The step is a number of bytes, and may
//   be negative. All bytes that the window has in any iteration are in the parent. The parent is not a draw.
//   It may be a window of a loop around this one. A window may be read and written where the buffer that
//   contains it may be. If an operand in a window has elements of s bytes, the byteOffset and the step of the
//   window, and of every window that contains it, are multiples of s. Panels (of packs and packed products)
//   are not in windows. An instruction is executed in the iterations from `first` to `end` - 1; `end` is at
//   most `count`. It may be a loop; at most 8 loops are one within the other.
#pragma once

#include <cstdint>
#include <memory>

namespace forebay {

struct Body;
class Instruction;
class Operands;

constexpr std::int64_t codeVersion = 1;

// Reads the numbers of an instruction that follow [opcode, length]. Returns null if the instruction is
// refused.
using Decode = std::unique_ptr<Instruction>(Operands& operands, const Body& body);
Decode decodeGroup, decodeProduct, decodePack, decodePackedProduct, decodeReduce, decodeBatchProduct,
    decodeRandom, decodeCopy, decodeRoutine, decodeRowGroup, decodeLoop;

struct Opcode {
  const char* name;
  Decode* decode;
  bool writes;  // true if instruction writeStart and later instructions may have this opcode
  bool once;    // true if instructions that run once may have this opcode
};
constexpr Opcode opcodes[] = {
    {"group", decodeGroup, true, true},                    // 1
    {"product", decodeProduct, false, true},               // 2
    {"pack", decodePack, false, true},                     // 3
    {"packed product", decodePackedProduct, false, true},  // 4
    {"reduce", decodeReduce, false, true},                 // 5
    {"batch product", decodeBatchProduct, false, true},    // 6
    {"random", decodeRandom, false, false},                // 7
    {"copy", decodeCopy, true, true},                      // 8
    {"routine", decodeRoutine, true, true},                // 9
    {"row group", decodeRowGroup, false, true},            // 10
    {"loop", decodeLoop, false, false},                    // 11
};
constexpr std::int64_t opcodeCount = sizeof opcodes / sizeof *opcodes;

}  // namespace forebay
