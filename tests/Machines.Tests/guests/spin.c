/* Never ends. */
#include "guest.h"

int run(int argc, char **argv, char **envp)
{
    (void)argc, (void)argv, (void)envp;
    print(1, "spinning\n");
    for (;;)
        __asm__ volatile("pause");
}
