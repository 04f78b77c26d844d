// Five bodies in a plane-parallel solar system, N steps of a symplectic integrator: nbody [N]
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct body
{
    double x, y, z, vx, vy, vz, mass;
};

static struct body bodies[5] = {
    {0, 0, 0, 0, 0, 0, 39.47841760435743},
    {5.2, 0.3, -0.1, 0.1, 2.75, -0.02, 0.0377},
    {-1.5, 9.4, 0.2, -1.95, -0.3, 0.08, 0.0113},
    {18.9, -4.1, 0.4, 0.3, 1.38, -0.01, 0.0017},
    {-12.0, -27.5, 0.9, 1.02, -0.45, 0.03, 0.002},
};

static double energy(void)
{
    double e = 0;
    for (int i = 0; i < 5; i++)
    {
        struct body *a = &bodies[i];
        e += 0.5 * a->mass * (a->vx * a->vx + a->vy * a->vy + a->vz * a->vz);
        for (int j = i + 1; j < 5; j++)
        {
            struct body *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            e -= a->mass * b->mass / sqrt(dx * dx + dy * dy + dz * dz);
        }
    }
    return e;
}

static void step(double dt)
{
    for (int i = 0; i < 5; i++)
    {
        struct body *a = &bodies[i];
        for (int j = i + 1; j < 5; j++)
        {
            struct body *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            double square = dx * dx + dy * dy + dz * dz;
            double pull = dt / (square * sqrt(square));
            a->vx -= dx * b->mass * pull, a->vy -= dy * b->mass * pull, a->vz -= dz * b->mass * pull;
            b->vx += dx * a->mass * pull, b->vy += dy * a->mass * pull, b->vz += dz * a->mass * pull;
        }
    }
    for (int i = 0; i < 5; i++)
        bodies[i].x += dt * bodies[i].vx, bodies[i].y += dt * bodies[i].vy, bodies[i].z += dt * bodies[i].vz;
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 5000000;
    printf("%.9f\n", energy());
    for (int i = 0; i < n; i++)
        step(0.001);
    printf("%.9f\n", energy());
    return 0;
}
