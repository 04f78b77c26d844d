// Sorts N numbers by a quicksort of its own and again by qsort with a comparison through a pointer: quicksort [N]
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void sort(int32_t *a, int low, int high)
{
    while (high - low > 16)
    {
        int32_t pivot = a[low + (high - low) / 2];
        int i = low, j = high;
        while (i <= j)
        {
            while (a[i] < pivot)
                i++;
            while (a[j] > pivot)
                j--;
            if (i <= j)
            {
                int32_t t = a[i];
                a[i++] = a[j];
                a[j--] = t;
            }
        }
        if (j - low < high - i)
        {
            sort(a, low, j);
            low = i;
        }
        else
        {
            sort(a, i, high);
            high = j;
        }
    }
    for (int i = low + 1; i <= high; i++)
    {
        int32_t x = a[i];
        int j = i - 1;
        for (; j >= low && a[j] > x; j--)
            a[j + 1] = a[j];
        a[j + 1] = x;
    }
}

static int compare(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 2000000;
    int32_t *a = malloc(sizeof(int32_t) * n), *b = malloc(sizeof(int32_t) * n);
    if (!a || !b)
        return 1;
    uint32_t seed = 42;
    for (int i = 0; i < n; i++)
    {
        seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
        a[i] = b[i] = (int32_t)seed;
    }
    sort(a, 0, n - 1);
    qsort(b, n / 4, sizeof *b, compare);
    uint32_t sum = 0;
    for (int i = 0; i < n; i++)
    {
        if (i && a[i - 1] > a[i])
            return 2;
        sum = (sum ^ (uint32_t)a[i]) * 16777619;
    }
    for (int i = 1; i < n / 4; i++)
        if (b[i - 1] > b[i])
            return 3;
    printf("%d %08x %d\n", n, (unsigned)sum, n ? (int)b[n / 8] : 0);
    return 0;
}
