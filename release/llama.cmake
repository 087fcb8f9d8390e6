# How mollia has llama.cpp compiled. With pip, in this folder's parent:
#   CMAKE_ARGS="-DCMAKE_PROJECT_INCLUDE=$PWD/release/llama.cmake" pip install -c constraints.txt .
# and, for other x86-64 processors than this one (a bundle), with -DMOLLIA_PORTABLE=ON behind it.
# These are ordinary variables, because llama-cpp-python forces its own values into the cache.

set(LLAVA_BUILD OFF)         # images: nobody here uses them
set(LLAMA_BUILD_COMMON OFF)  # what only llama.cpp's own programs use

# The AMX kernels crash on every processor that has AMX: compilers drop the tile configuration (llama.cpp #20824).
# Without them llama.cpp uses its other repacked kernels there.
if(NOT MSVC)
  add_compile_options(-U__AMX_TILE__ -U__AMX_INT8__ -U__AMX_BF16__)
endif()

# One library a kind of processor; the best that runs is chosen when mollia starts.
if(MOLLIA_PORTABLE)
  set(GGML_NATIVE OFF)
  set(GGML_BACKEND_DL ON)
  set(GGML_CPU_ALL_VARIANTS ON)
  set(CMAKE_INSTALL_BINDIR llama_cpp/lib)
endif()
