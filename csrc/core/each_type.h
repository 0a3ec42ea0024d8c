/* Includes the file EACH, a path below csrc, for each element type of convolutions: see types.h. */
#define TYPE s8
#include EACH
#define TYPE u8
#include EACH
#define TYPE s16
#include EACH
#define TYPE f32
#include EACH
#define TYPE f32s8
#include EACH
#undef EACH
