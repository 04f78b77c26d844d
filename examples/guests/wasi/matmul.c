// The product of two N by N matrices of doubles, and a checksum of it: matmul [N]
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 640;
    double *a = malloc(sizeof(double) * n * n), *b = malloc(sizeof(double) * n * n), *c = calloc((size_t)n * n, sizeof(double));
    if (!a || !b || !c)
        return 1;
    uint32_t seed = 12345;
    for (int i = 0; i < n * n; i++)
    {
        seed = seed * 1664525 + 1013904223;
        a[i] = (seed >> 8) / 16777216.0 - 0.5;
        seed = seed * 1664525 + 1013904223;
        b[i] = (seed >> 8) / 16777216.0 - 0.5;
    }
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
        {
            double x = a[i * n + k];
            for (int j = 0; j < n; j++)
                c[i * n + j] += x * b[k * n + j];
        }
    uint64_t sum = 0;
    for (int i = 0; i < n * n; i++)
    {
        uint64_t bits;
        memcpy(&bits, &c[i], 8);
        sum = (sum ^ bits) * 0x100000001b3;
    }
    printf("%d %016llx\n", n, (unsigned long long)sum);
    return 0;
}
