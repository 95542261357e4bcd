from . import parser as parser
