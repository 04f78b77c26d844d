// Kernels on 128-bit vectors: a*x+y of floats, and blending and summing bytes, ROUNDS times: simd [ROUNDS]
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasm_simd128.h>

#define N 65536

static float x[N], y[N];
static uint8_t p[N], q[N];

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 12000;
    for (int i = 0; i < N; i++)
    {
        x[i] = (float)(i % 1000) * 0.001f;
        y[i] = (float)(i % 77);
        p[i] = (uint8_t)(i * 13), q[i] = (uint8_t)(i * 7 + 1);
    }
    v128_t total = wasm_i64x2_const(0, 0), a = wasm_f32x4_splat(0.001f);
    for (int round = 0; round < rounds; round++)
    {
        for (int i = 0; i < N; i += 4)
        {
            v128_t sum = wasm_f32x4_add(wasm_f32x4_mul(a, wasm_v128_load(x + i)), wasm_v128_load(y + i));
            wasm_v128_store(y + i, wasm_f32x4_min(sum, wasm_f32x4_splat(100.0f)));
        }
        v128_t words = wasm_i32x4_const(0, 0, 0, 0);
        for (int i = 0; i < N; i += 16)
        {
            v128_t u = wasm_v128_load(p + i), v = wasm_v128_load(q + i);
            v128_t mixed = wasm_u8x16_avgr(u, wasm_i8x16_add(v, wasm_i8x16_splat((int8_t)round)));
            mixed = wasm_v128_bitselect(mixed, wasm_u8x16_sub_sat(u, v), wasm_u8x16_gt(u, v));
            mixed = wasm_i8x16_shuffle(mixed, mixed, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
            wasm_v128_store(p + i, mixed);
            words = wasm_i32x4_add(words, wasm_u32x4_extadd_pairwise_u16x8(wasm_u16x8_extadd_pairwise_u8x16(mixed)));
        }
        total = wasm_i64x2_add(total, wasm_i64x2_add(wasm_u64x2_extend_low_u32x4(words), wasm_u64x2_extend_high_u32x4(words)));
    }
    uint32_t digest = 2166136261;
    for (int i = 0; i < N; i++)
    {
        uint32_t bits;
        memcpy(&bits, &y[i], 4);
        digest = (digest ^ bits) * 16777619;
        digest = (digest ^ p[i]) * 16777619;
    }
    printf("%lld %08x\n", (long long)(wasm_i64x2_extract_lane(total, 0) + wasm_i64x2_extract_lane(total, 1)), (unsigned)digest);
    return 0;
}
