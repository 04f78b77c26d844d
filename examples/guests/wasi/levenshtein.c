// The edit distance of two texts of N letters each: levenshtein [N]
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static char *text(int n, uint32_t seed)
{
    char *at = malloc(n);
    if (!at)
        exit(1);
    for (int i = 0; i < n; i++)
    {
        seed = seed * 1103515245 + 12345;
        at[i] = "acgtn"[(seed >> 16) % 5];
    }
    return at;
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 12000;
    char *a = text(n, 1), *b = text(n, 2);
    int *row = malloc(sizeof(int) * (n + 1));
    if (!row)
        return 1;
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 1; i <= n; i++)
    {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++)
        {
            int replace = diagonal + (a[i - 1] != b[j - 1]);
            int add = row[j - 1] + 1, drop = row[j] + 1;
            diagonal = row[j];
            int best = add < drop ? add : drop;
            row[j] = best < replace ? best : replace;
        }
    }
    printf("%d\n", row[n]);
    return 0;
}
