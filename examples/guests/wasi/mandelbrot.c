// The Mandelbrot set at SIZE by SIZE points, at most 200 iterations: mandelbrot [SIZE]
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int size = argc > 1 ? atoi(argv[1]) : 1600;
    uint32_t sum = 0;
    int inside = 0;
    for (int row = 0; row < size; row++)
        for (int column = 0; column < size; column++)
        {
            double cr = column * 3.0 / size - 2.2, ci = row * 3.0 / size - 1.5, zr = 0, zi = 0;
            int i = 0;
            for (; i < 200 && zr * zr + zi * zi <= 4; i++)
            {
                double next = zr * zr - zi * zi + cr;
                zi = 2 * zr * zi + ci;
                zr = next;
            }
            inside += i == 200;
            sum = (sum ^ (uint32_t)i) * 16777619;
        }
    printf("%d %d %08x\n", size, inside, (unsigned)sum);
    return 0;
}
