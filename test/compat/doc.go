// Package compat holds the tests that ask Galaxy 26.1.2 itself whether Orrery is compatible with it, both ways: its own
// models read the database that Orrery wrote, each of the two servers goes on with what the other one left, and the same
// rule files send jobs to the same destinations.
//
// They install Galaxy's packages from PyPI, so they are built with the tag compat only: make compat. The variable
// ORRERY_COMPAT_PYTHON names the interpreter of an environment that has them already. Begin with models_test.go; then
// galaxy_test.go, which starts a Galaxy, and move_test.go; destination_test.go stands alone. The package is made of tests only.
package compat
