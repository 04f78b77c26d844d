// A guest without WASI or a C library: run gives how many steps the numbers below 300,000 take to reach 1 (Collatz) in all.
__attribute__((export_name("run"))) long long run(void)
{
    long long total = 0;
    for (unsigned start = 1; start < 300000; start++)
        for (unsigned long long n = start; n != 1; total++)
            n = n % 2 ? 3 * n + 1 : n / 2;
    return total;
}
