// How many primes are below N, by the sieve of Eratosthenes, ROUNDS times: sieve [N] [ROUNDS]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 4000000, rounds = argc > 2 ? atoi(argv[2]) : 15;
    unsigned char *composite = malloc(n);
    if (!composite)
        return 1;
    int count = 0;
    for (int round = 0; round < rounds; round++)
    {
        memset(composite, 0, n);
        count = 0;
        for (int i = 2; i < n; i++)
        {
            if (composite[i])
                continue;
            count++;
            for (long long j = (long long)i * i; j < n; j += i)
                composite[j] = 1;
        }
    }
    printf("%d\n", count);
    return 0;
}
