// Packs the right operand of a product into the panels that forebay's own product reads.
#include <algorithm>

#include "kernels/gemm.h"
#include "program/panels.h"
#include "program/pool.h"

namespace forebay {

bool readFloatType(Reader& reader, DType& type) {
  if (!reader.dtype({nullptr, -1, "the dtype"}, type)) return false;
  return type == DType::float32 || type == DType::float64 ||
         reader.refuse("the dtype is %s, expected float32 or float64", nameOf(type));
}

bool checkPanels(Operands& operands, const char* name, DType type, std::int64_t k, std::int64_t n,
                 const Body& body, const Location& location, Extent& extent) {
  Reader& reader = operands.reader();
  const Buffer::Kind kind = operands.buffer(location).kind;
  if (kind != Buffer::Kind::arena && kind != Buffer::Kind::kept) {
    return reader.refuse("the buffer of %s is %s, expected the arena or kept values", name, nameOf(kind));
  }
  if (static_cast<std::size_t>(location.offset) % AlignedBytes::alignment != 0) {
    return reader.refuse("the byte offset of %s is %lld, expected a multiple of %zu", name,
                         static_cast<long long>(location.offset), AlignedBytes::alignment);
  }
  // First checks that k * n elements fit, with protection from overflow. If they fit, packedBytes cannot
  // overflow.
  const auto size = static_cast<std::int64_t>(sizeOf(type));
  std::int64_t least = 0;
  if (__builtin_mul_overflow(k, n, &least) || least > largestInteger / size)
    least = largestInteger;
  else
    least *= size;
  return operands.bytes(name, -1, location, least, extent) &&
         operands.bytes(name, -1, location, static_cast<std::int64_t>(packedBytes(type, k, n, body)), extent);
}

namespace {

// The number of elements that a thread packs in one task.
constexpr std::int64_t packedAtOnce = 65536;

class Pack final : public Instruction {
 public:
  bool run(const Running& running) override {
    Task task = {*this, running.bases};
    if (running.threads > 1 && pieces_.size() > 1 && k_ * n_ > packedAtOnce) {
      Pool::instance().run(running.threads, static_cast<int>(pieces_.size()), Task::run, &task);
    } else {
      for (std::size_t i = 0; i < pieces_.size(); ++i) Task::run(&task, static_cast<int>(i), 0);
    }
    return true;
  }

 private:
  friend class PackDecoder;

  struct Piece {
    PanelPiece panel;
    Location location;
  };
  struct Task {
    const Pack& pack;
    char* const* bases;

    static void run(void* context, int index, int) {
      const Task& task = *static_cast<const Task*>(context);
      const Pack& pack = task.pack;
      const Piece& piece = pack.pieces_[static_cast<std::size_t>(index)];
      PanelPiece panel = piece.panel;
      panel.data = address(piece.location, task.bases);
      packPanels(pack.type_, pack.k_, pack.n_, panel, address(pack.destination_, task.bases), *pack.body_);
    }
  };

  DType type_ = DType::float32;
  std::int64_t k_ = 0, n_ = 0;
  const Body* body_ = nullptr;
  Location destination_ = {};
  Items<Piece> pieces_;
};

class PackDecoder {
 public:
  static bool decode(Operands& operands, const Body& body, Pack& pack) {
    Reader& reader = operands.reader();
    std::int64_t extents[2], count = 0;
    Extent destination;
    if (!readFloatType(reader, pack.type_)) return false;
    if (!reader.integers({nullptr, -1, "k or n"}, extents, 2, maxExtent)) return false;
    pack.k_ = extents[0];
    pack.n_ = extents[1];
    pack.body_ = &body;
    if (!operands.locate("the panels", -1, Access::write, pack.type_, pack.destination_)) return false;
    if (!checkPanels(operands, "the panels", pack.type_, pack.k_, pack.n_, body, pack.destination_,
                     destination)) {
      return false;
    }
    if (!reader.integer({nullptr, -1, "the number of pieces"}, count, reader.left() / 8)) return false;

    Items<Pack::Piece> pieces;
    if (!pieces.allocate(static_cast<std::size_t>(count))) return reader.outOfMemory("the pieces of a pack");
    std::int64_t covered = 0, shares = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      Pack::Piece& piece = pieces[static_cast<std::size_t>(i)];
      if (!readPiece(operands, pack, i, destination, piece)) return false;
      covered += piece.panel.kCount * piece.panel.nCount;
      if (covered > pack.k_ * pack.n_) break;
      shares += sharesOf(piece.panel);
    }
    // Only the total number of elements is checked. All pieces are within the matrix, so if two pieces
    // overlap and leave a gap, the result is wrong, but no access is outside the memory.
    if (covered != pack.k_ * pack.n_) {
      return reader.refuse("the pieces have %s elements than the %lld x %lld matrix",
                           covered < pack.k_ * pack.n_ ? "fewer" : "more", static_cast<long long>(pack.k_),
                           static_cast<long long>(pack.n_));
    }
    if (!pack.pieces_.allocate(static_cast<std::size_t>(shares))) {
      return reader.outOfMemory("the pieces of a pack");
    }
    cutPieces(pieces, pack);
    return true;
  }

 private:
  static bool readPiece(Operands& operands, const Pack& pack, std::int64_t index, const Extent& destination,
                        Pack::Piece& piece) {
    Reader& reader = operands.reader();
    PanelPiece& panel = piece.panel;
    const char* const name = "piece";
    if (!reader.integer({name, index, "the first row"}, panel.kStart, pack.k_) ||
        !reader.integer({name, index, "the first column"}, panel.nStart, pack.n_) ||
        !reader.integer({name, index, "the number of rows"}, panel.kCount, pack.k_ - panel.kStart) ||
        !reader.integer({name, index, "the number of columns"}, panel.nCount, pack.n_ - panel.nStart) ||
        !operands.locate(name, index, Access::read, pack.type_, piece.location) ||
        !reader.integer({name, index, "the row stride"}, panel.kStride, maxExtent) ||
        !reader.integer({name, index, "the column stride"}, panel.nStride, maxExtent)) {
      return false;
    }
    const std::int64_t sizes[] = {panel.kCount, panel.nCount}, strides[] = {panel.kStride, panel.nStride};
    Extent extent;
    if (!operands.view(name, index, Access::read, pack.type_, piece.location, sizes, strides, 2, extent)) {
      return false;
    }
    return !extent.overlaps(destination) ||
           reader.refuse("piece %lld overlaps the panels", static_cast<long long>(index));
  }

  static std::int64_t rowsAtOnce(const PanelPiece& panel) {
    return std::max<std::int64_t>(packedAtOnce / std::max<std::int64_t>(panel.nCount, 1), 1);
  }
  static std::int64_t sharesOf(const PanelPiece& panel) {
    if (panel.nCount == 0) return 0;
    const std::int64_t rows = rowsAtOnce(panel);
    return (panel.kCount + rows - 1) / rows;
  }

  // Divides large pieces along k, so that several threads can pack one piece.
  static void cutPieces(const Items<Pack::Piece>& pieces, Pack& pack) {
    const auto size = static_cast<std::int64_t>(sizeOf(pack.type_));
    Pack::Piece* next = pack.pieces_.data();
    for (const Pack::Piece& piece : pieces) {
      const std::int64_t rows = rowsAtOnce(piece.panel);
      for (std::int64_t share = 0; share < sharesOf(piece.panel); ++share, ++next) {
        const std::int64_t start = share * rows;
        *next = piece;
        next->panel.kStart += start;
        next->panel.kCount = std::min(rows, piece.panel.kCount - start);
        next->location.offset += start * piece.panel.kStride * size;
      }
    }
  }
};

}  // namespace

std::unique_ptr<Instruction> decodePack(Operands& operands, const Body& body) {
  std::unique_ptr<Pack> pack(new (std::nothrow) Pack);
  if (!pack) {
    operands.reader().outOfMemory("a pack");
    return nullptr;
  }
  if (!PackDecoder::decode(operands, body, *pack)) return nullptr;
  return pack;
}

}  // namespace forebay
