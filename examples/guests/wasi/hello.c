// The smallest useful program.
#include <stdio.h>

int main(void)
{
    printf("Hello from wasm32-wasi: %d\n", 42);
    return 0;
}
