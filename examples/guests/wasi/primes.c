// A long computation: counts the primes below N by trial division, says on standard output how far it is twenty times, and
// ends with a digest of all of them: primes [N]. It keeps those below the root of N in memory and writes a summary to /out.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 3000000;
    uint32_t *known = NULL, count = 0, kept = 0, room = 0;
    uint64_t digest = 14695981039346656037u;
    uint32_t said = 0;
    for (uint32_t i = 2; i < n; i++)
    {
        int prime = 1;
        for (uint32_t j = 0; prime && j < kept && (uint64_t)known[j] * known[j] <= i; j++)
            prime = i % known[j] != 0;
        if (prime)
        {
            if ((uint64_t)i * i <= n + 1ull * i)
            {
                if (kept == room && !(known = realloc(known, (room = room * 2 + 64) * sizeof *known)))
                    return 1;
                known[kept++] = i;
            }
            count++;
            digest = (digest ^ i) * 1099511628211u;
        }
        if ((uint64_t)i * 20 / n != said)
        {
            said = (uint32_t)((uint64_t)i * 20 / n);
            printf("%u %%: %u primes\n", (unsigned)said * 5, (unsigned)count);
            fflush(stdout);
        }
    }
    printf("%u primes below %u, digest %016llx\n", (unsigned)count, (unsigned)n, (unsigned long long)digest);
    FILE *out = fopen("/out/primes.txt", "w");
    if (out)
        fprintf(out, "%u %016llx\n", (unsigned)count, (unsigned long long)digest), fclose(out);
    return 0;
}
