"""Kernels in C++ for a CPU, built by the compiler of the machine they run on."""
