// Ends in the way its argument names: exit N, return N, abort, trap, divide, memory, recurse, deep, loop, hog
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((noinline)) static int recurse(volatile int *from)
{
    volatile int here[8] = {*from};
    return here[0] == -1 ? 0 : recurse(here) + here[0];
}

static volatile int one = 1;

// Takes nothing of the stack that is in memory, only of the engine's.
__attribute__((noinline)) static int deep(int n)
{
    return one ? deep(n + one) + one : n;
}

__attribute__((noinline)) static int divide(int a, int b)
{
    return a / b;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "return";
    int number = argc > 2 ? atoi(argv[2]) : 0;
    printf("ending by %s\n", how);
    fflush(stdout);
    if (!strcmp(how, "exit"))
        exit(number);
    if (!strcmp(how, "_exit"))
        _exit(number);
    if (!strcmp(how, "abort"))
        abort();
    if (!strcmp(how, "trap"))
        __builtin_trap();
    if (!strcmp(how, "divide"))
        printf("%d\n", divide(argc, number));
    if (!strcmp(how, "memory"))
        printf("%d\n", *(volatile int *)0xfffffff0);
    if (!strcmp(how, "recurse"))
        printf("%d\n", recurse(&number));
    if (!strcmp(how, "deep"))
        printf("%d\n", deep(number));
    if (!strcmp(how, "loop"))
        for (volatile int i = 0;; i++)
            ;
    if (!strcmp(how, "hog"))
    {
        long long total = 0;
        char *block;
        while (total < (number ? number : 4096) * 1048576LL && (block = malloc(1 << 20)))
        {
            for (int i = 0; i < 1 << 20; i += 4096)
                ((volatile char *)block)[i] = 1;
            total += 1 << 20;
        }
        printf("%lld MiB\n", total >> 20);
        number = 0;
    }
    return number;
}
