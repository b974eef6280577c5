"""Mutants of the kernel's functions: does the catalogue notice each change that matters?"""
