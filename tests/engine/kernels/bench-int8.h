/* Times the int8 kernels of every table of this machine and prints their speed. */
#pragma once

void bench_int8(void);
