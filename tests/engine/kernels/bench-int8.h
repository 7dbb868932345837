/* Times the int8 kernels of every table of this machine and prints what they reach. */
#pragma once

void bench_int8(void);
