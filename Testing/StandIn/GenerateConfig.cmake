if(NOT EXTENSION_DESCRIPTION OR NOT EXTENSION_HOMEPAGE OR NOT EXTENSION_CONTRIBUTORS OR NOT EXTENSION_DEPENDS)
  message(FATAL_ERROR "An extension needs a description, a homepage, contributors and its dependencies.")
endif()
