// The test runner: doctest's, after OpenBLAS is prepared as in the addon.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "kernels/blas.h"

int main(int count, char** arguments) {
  forebay::prepareBlas();
  return doctest::Context(count, arguments).run();
}
