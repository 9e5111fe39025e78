/* The recipes, embedded: see environment.h. Each is its name, a zero, its text, a zero. */
    .macro recipe name
    .asciz "\name"
    .incbin "\name\().Dockerfile"
    .byte 0
    .endm

    .section .rodata
    .global cay_environments_begin
    .global cay_environments_end
cay_environments_begin:
    recipe basic
    recipe data
    recipe full
    recipe go-1.21
    recipe go-1.23
    recipe java
    recipe node-18
    recipe node-20
    recipe node-22
    recipe python-3.11
    recipe python-3.12
    recipe python-3.13
    recipe rust
cay_environments_end:
    .section .note.GNU-stack,"",@progbits
