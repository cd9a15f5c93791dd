#include "kernels/geometry.h"

#include <cstdio>

namespace forebay {

namespace {

// The text of a list for error messages, such as "[2, 3, 4]". The text of a long list ends with "...".
struct List {
  char text[80];

  List(const std::int64_t* values, int count) {
    std::size_t used = 0;
    text[used++] = '[';
    for (int i = 0; i < count; ++i) {
      if (used > sizeof text - 32) {
        used += static_cast<std::size_t>(std::snprintf(text + used, sizeof text - used, ", ..."));
        break;
      }
      used += static_cast<std::size_t>(std::snprintf(
          text + used, sizeof text - used, i == 0 ? "%lld" : ", %lld", static_cast<long long>(values[i])));
    }
    std::snprintf(text + used, sizeof text - used, "]");
  }
};

bool isEmpty(const std::int64_t* sizes, int rank) {
  for (int d = 0; d < rank; ++d) {
    if (sizes[d] == 0) return true;
  }
  return false;
}

}  // namespace

bool toInteger(double value, std::int64_t limit, std::int64_t& integer) {
  // The value is compared as a double first, because converting NaN or 1e300 to an integer is undefined
  // behaviour.
  if (!(value >= 0 && value <= static_cast<double>(limit))) return false;
  integer = static_cast<std::int64_t>(value);
  return static_cast<double>(integer) == value;
}

bool toStride(double value, std::int64_t& stride) {
  if (!toInteger(value < 0 ? -value : value, largestInteger, stride)) return false;
  if (value < 0) stride = -stride;
  return true;
}

bool reachOf(const std::int64_t* sizes, const std::int64_t* strides, int rank, Reach& reach) {
  reach = {0, 0};
  for (int d = 0; d < rank; ++d) {
    std::int64_t distance = 0;
    if (__builtin_mul_overflow(sizes[d] - 1, strides[d], &distance)) return false;
    std::int64_t& end = distance < 0 ? reach.lowest : reach.highest;
    if (__builtin_add_overflow(end, distance, &end)) return false;
  }
  return true;
}

bool GeometryReader::integer(const char* what, std::int64_t& value, std::int64_t limit) {
  if (next_ >= count_) {
    return fault_.argument("%s: the geometry ends at number %zu, where %s was expected", call_, next_, what);
  }
  // volatile guarantees a single read. Another thread may write to the array between two reads.
  const double number = *static_cast<const volatile double*>(numbers_ + next_);
  if (!toInteger(number, limit, value)) {
    return fault_.argument("%s: number %zu of the geometry (%s) is %.17g, expected an integer from 0 to %lld",
                           call_, next_, what, number, static_cast<long long>(limit));
  }
  ++next_;
  return true;
}

bool GeometryReader::integers(const char* what, std::int64_t* values, int count, std::int64_t limit) {
  for (int i = 0; i < count; ++i) {
    if (!integer(what, values[i], limit)) return false;
  }
  return true;
}

bool GeometryReader::strides(std::int64_t* values, int count) {
  for (int i = 0; i < count; ++i) {
    if (next_ >= count_) {
      return fault_.argument("%s: the geometry ends at number %zu, where a stride was expected", call_,
                             next_);
    }
    // volatile guarantees a single read. Another thread may write to the array between two reads.
    const double number = *static_cast<const volatile double*>(numbers_ + next_);
    if (!toStride(number, values[i])) {
      return fault_.argument(
          "%s: number %zu of the geometry (a stride) is %.17g, expected an integer from "
          "-%lld to %lld",
          call_, next_, number, static_cast<long long>(largestInteger),
          static_cast<long long>(largestInteger));
    }
    ++next_;
  }
  return true;
}

bool GeometryReader::rank(const char* what, int& rank) {
  std::int64_t value = 0;
  if (!integer(what, value, maxRank)) return false;
  rank = static_cast<int>(value);
  return true;
}

bool GeometryReader::end() {
  if (next_ == count_) return true;
  return fault_.argument("%s: the geometry has %zu numbers, expected %zu", call_, count_, next_);
}

bool countElements(const char* call, const std::int64_t* sizes, int rank, std::int64_t& count, Fault& fault) {
  count = isEmpty(sizes, rank) ? 0 : 1;
  for (int d = 0; d < rank && count > 0; ++d) {
    if (__builtin_mul_overflow(count, sizes[d], &count) || count > largestInteger) {
      return fault.argument("%s: shape %s has more than 2^53 - 1 elements", call, List(sizes, rank).text);
    }
  }
  return true;
}

bool checkExtent(const char* call, const char* role, const Array& array, std::int64_t offset,
                 const std::int64_t* sizes, const std::int64_t* strides, int rank, Fault& fault) {
  const auto length = static_cast<std::int64_t>(array.length);
  if (isEmpty(sizes, rank)) {
    if (offset <= length) return true;
    return fault.argument("%s: %s starts at element %lld of an array of %lld", call, role,
                          static_cast<long long>(offset), static_cast<long long>(length));
  }
  // Each sum of the offset and an end of the reach fits in 64 bits: the offset is from 0 to 2^53 - 1, and is
  // added only to a lowest index, which is not positive, or subtracted from the length.
  Reach reach = {};
  if (reachOf(sizes, strides, rank, reach) && offset + reach.lowest >= 0 && offset < length &&
      reach.highest < length - offset) {
    return true;
  }
  return fault.argument(
      "%s: %s (offset %lld, shape %s, strides %s) reaches beyond its array, which has %lld elements", call,
      role, static_cast<long long>(offset), List(sizes, rank).text, List(strides, rank).text,
      static_cast<long long>(length));
}

bool checkOutput(const char* call, const Array& array, std::int64_t offset, const std::int64_t* sizes,
                 const std::int64_t* strides, int rank, Fault& fault) {
  if (!checkExtent(call, "output", array, offset, sizes, strides, rank, fault)) return false;
  for (int d = 0; d < rank; ++d) {
    if (sizes[d] > 1 && strides[d] == 0) {
      return fault.argument("%s: output (shape %s, strides %s) writes one element more than once", call,
                            List(sizes, rank).text, List(strides, rank).text);
    }
  }
  return true;
}

}  // namespace forebay
