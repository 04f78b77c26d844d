/* Doubles itself, each copy for ever; the first ends when the guest has no room for more, leaving them behind. */
#include "guest.h"

int run(int argc, char **argv, char **envp)
{
    (void)argc, (void)argv, (void)envp;
    for (;;)
    {
        long child = call(__NR_fork, 0, 0, 0);
        if (child < 0)
            break;
        while (child == 0)
            call(__NR_fork, 0, 0, 0);
    }
    print(1, "the first of them ends\n");
    return 0;
}
