// What a program's code says. It is a list of doubles, each of them an integer from 0 to 2^53 - 1.
//
// A place is [buffer, byteOffset], the offset a multiple of the element's size. Strides are in elements and
// may be 0 where something is read. Dtypes are 0 float32, 1 float64, 2 int32. A kernel is its index in the
// table of kernels. Ranks are at most maxRank (kernels/geometry.h).
//
//   header        version (1), bufferCount, instructionCount, writeStart, outputCount, 0
//   buffers       [kind, bytes] each. Kinds: 0 the arena, which is buffer 0 and no other, owned by the
//   program,
//                 64-byte aligned and full of anything; 1 a variable; 2 a constant; 3 a feed, handed over at
//                 every run. Leaves, which are kinds 1 and 2, come to create() in the order of their buffers.
//   outputs       [dtype, count, place] each: elements without gaps, copied to the caller's memory before
//                 instruction writeStart. So they are functions of the leaves as they were.
//   instructions  [opcode, length, …] each; the length is of all of it
//
// Variables are written by the instructions from writeStart on, which are groups without closes and copies;
// constants and feeds are never written. Operands that overlap where nothing else is said leave unspecified
// values, but no instruction leaves its buffers.
//
// 1 group: element-wise steps over registers, for each segment of an index space of its own
//   [1, length, segmentCount, rank, registerCount, loadCount, stepCount, storeCount, closeCount,
//    loads [dtype, register], steps [kernel, dtype of the inputs, register, 3 input registers, -1 for none],
//    stores [dtype, register], closes [dtype, register],
//    segments [sizes, loads [place, strides], stores [place, strides], closes [place]]]
//   Segments are independent of each other. A store may go to exactly where a load is from: in place. A
//   close is the sum of all elements of a register, added up in double and rounded once; its bits do not
//   depend on the number of threads.
//
// 2 product: C = A B or C += A B
//   [2, length, dtype, m, n, k, accumulate, A [place, rowStride, columnStride], B [the same], C [place,
//   rowStride]] One stride of A, and of B, is 1 or of an axis of at most one element; the other steps over
//   whole runs. C shares no element with A or B.
//
// 3 pack: a k x n matrix into the panels of kernels/gemm.h, in the arena, 64-byte aligned
//   [3, length, dtype, k, n, panels (place), pieceCount,
//    pieces [kStart, nStart, kCount, nCount, place, kStride, nStride]]
//
// 4 packed product: as a product, with B in panels
//   [4, length, dtype, m, n, k, accumulate, A [place, rowStride, columnStride], B [place], C [place,
//   rowStride]]
//
// 5 reduce: as kernels/reduce.h says
//   [5, length, kernel, dtype, keptRank, reducedRank, kept sizes, reduced sizes, output [place, kept
//   strides],
//    input [place, kept strides, reduced strides]]
//
// 6 batch product: as kernels/product.h says
//   [6, length, dtype, accumulate, batchRank, batch sizes, m, n, k, transA, transB, lda, ldb, ldc,
//    A [place, batch strides], B [the same], C [the same]]
//
// 7 random: [7, length, kernel, dtype, seed, count, place]; the run's index comes with the run
//
// 8 copy: [8, length, dtype, rank, sizes, from [place, strides], to [place, strides]]
#pragma once

#include <cstdint>

namespace forebay {

constexpr std::int64_t codeVersion = 1;

}  // namespace forebay
