/* The description of the API, embedded: see openapi.h. */
    .section .rodata
    .global cay_openapi_begin
    .global cay_openapi_end
cay_openapi_begin:
    .incbin CAY_OPENAPI_PATH
cay_openapi_end:
    .section .note.GNU-stack,"",@progbits
