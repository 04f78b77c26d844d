// Prints N random bytes in hex (getentropy); without an argument, only that two draws differ.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    unsigned char a[32], b[32];
    if (getentropy(a, sizeof a) || getentropy(b, sizeof b))
        return 1;
    printf("%s\n", memcmp(a, b, sizeof a) ? "differ" : "same");
    for (int left = argc > 1 ? atoi(argv[1]) : 0; left > 0; left--)
    {
        if (getentropy(a, 1))
            return 1;
        printf("%02x%s", a[0], left == 1 ? "\n" : "");
    }
    return 0;
}
