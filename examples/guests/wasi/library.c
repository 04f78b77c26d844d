// A library of WASI (a reactor): no main, but constructors that run first, and run with a result.
#include <stdio.h>

static int ready;

__attribute__((constructor)) static void prepare(void)
{
    ready = 41;
}

__attribute__((export_name("run"))) long long run(void)
{
    printf("ready is %d\n", ready);
    fflush(stdout);
    return ready + 1;
}
