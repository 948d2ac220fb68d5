/* tocsin/tocsin.h: everything libtocsin offers. */
#pragma once

#include <tocsin/error.h>
#include <tocsin/lock.h>
#include <tocsin/pool.h>
