// Runs all tests with doctest. Prepares OpenBLAS first, as the addon does.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "kernels/blas.h"

int main(int count, char** arguments) {
  forebay::prepareBlas();
  return doctest::Context(count, arguments).run();
}
