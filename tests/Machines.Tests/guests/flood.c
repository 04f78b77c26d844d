/* Writes 3,000,000 bytes to stdout, counting from 0 to 250 again and again, and a big file, and ends. */
#include "guest.h"

int run(int argc, char **argv, char **envp)
{
    (void)argc, (void)argv, (void)envp;
    static char buffer[2510];
    for (int i = 0; i < 2510; i++)
        buffer[i] = i % 251;
    long file = call(__NR_open, (long)"/big", 0101, 0600);
    for (long left = 3000000; left > 0; left -= 2510)
    {
        long piece = left < 2510 ? left : 2510;
        for (long done = 0; done < piece;)
            done += call(__NR_write, 1, (long)buffer + done, piece - done);
        call(__NR_write, file, (long)buffer, piece);
    }
    return 0;
}
