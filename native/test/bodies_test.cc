// Tests the choice of a body (the kernels compiled for one instruction set), and that all bodies have the
// same kernel table.
#include <cstring>

#include "test/support.h"

using namespace forebay;
using namespace forebay::test;

TEST_CASE("every body has the same rows in the same order") {
  for (const Body* const* body = bodies; *body != nullptr; ++body) {
    REQUIRE((*body)->kernelCount == bodies[0]->kernelCount);
    for (std::size_t id = 0; id < bodies[0]->kernelCount; ++id) {
      const Kernel &a = (*body)->kernels[id], &b = bodies[0]->kernels[id];
      CHECK(a.family == b.family);
      CHECK(std::string(a.name) == b.name);
      CHECK(a.arity == b.arity);
      CHECK(a.form == b.form);
      CHECK(a.to == b.to);
      for (const DType type : laneTypes) {
        CHECK(bool(a.routine(type)) == bool(b.routine(type)));
      }
    }
  }
}

TEST_CASE("names are unique within a family") {
  const Body& body = *bodies[0];
  for (std::size_t id = 0; id < body.kernelCount; ++id) {
    CHECK(find(body, body.kernels[id].family, body.kernels[id].name) == &body.kernels[id]);
  }
  CHECK(find(body, Family::map, "matmul") == nullptr);
}

TEST_CASE("FOREBAY_SIMD selects a body, and the error for a wrong value lists the possible ones") {
  CHECK(choose(nullptr).body == supportedBodies().back());
  CHECK(choose("").body == supportedBodies().back());
  for (const Body* body : supportedBodies()) CHECK(choose(body->name).body == body);
  const Choice wrong = choose("avx1024");
  CHECK(wrong.body == nullptr);
  CHECK(std::string(wrong.error).find("FOREBAY_SIMD is 'avx1024': this machine can run portable") == 0);
}
